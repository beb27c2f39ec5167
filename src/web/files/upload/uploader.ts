// What the queue needs of a way to upload: putUploader sends whole files, deltaUploader what changed.
import type { ApiError } from '../../shared/api';

export interface UploadTask {
  file: File;
  path: string;
  url: string; // the same below /api/v1/files/
  replace: boolean; // false: only where nothing is there yet
}

export interface UploadEvents {
  progress: (doneBytes: number, wireBytes: number) => void; // of the file; and what was sent for it
  done: (wireBytes: number) => void;
  failed: (error: ApiError) => void;
}

/** One upload under way. After `cancel`, `done` or `failed` nothing is called any more. */
export interface Upload {
  pause(): void;
  resume(): void;
  cancel(): void;
}

export interface Uploader {
  readonly resumes: boolean; // whether a paused upload goes on where it stopped, or begins anew
  start(task: UploadTask, events: UploadEvents): Upload;
}
