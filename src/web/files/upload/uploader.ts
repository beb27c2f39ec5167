// What the queue needs of a way to upload. The one that is here sends whole files; another may send what changed.
import type { ApiError } from '../../shared/api';

export interface UploadTask {
  file: File;
  url: string; // below /api/v1/files/
  replace: boolean; // false: only where nothing is there yet
}

export interface UploadEvents {
  progress: (sentBytes: number) => void;
  done: () => void;
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
