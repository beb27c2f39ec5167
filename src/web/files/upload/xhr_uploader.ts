// Uploads whole files by PUT. XMLHttpRequest, since fetch does not say how much was sent.
import { ApiError, errorOf } from '../../shared/api';
import type { Upload, Uploader, UploadEvents, UploadTask } from './uploader';

class PutUpload implements Upload {
  private request: XMLHttpRequest | null = null;
  private before = 0; // sent before it was paused
  private sent = 0;

  constructor(
    private readonly task: UploadTask,
    private readonly events: UploadEvents,
  ) {
    this.resume();
  }

  pause(): void {
    const request = this.request;
    this.request = null;
    request?.abort();
    this.before += this.sent;
    this.sent = 0;
    this.events.progress(0, this.before);
  }

  resume(): void {
    const { file, url, replace } = this.task;
    const request = new XMLHttpRequest();
    this.request = request;
    request.open('PUT', `/api/v1/files/${url}`);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('X-Millrace-Mtime-Ms', String(file.lastModified));
    if (!replace) request.setRequestHeader('If-None-Match', '*');
    request.upload.onprogress = (event) => {
      if (this.request !== request) return;
      this.sent = Math.min(event.loaded, file.size);
      this.events.progress(this.sent, this.before + this.sent);
    };
    request.onload = () => {
      if (this.request !== request) return;
      this.request = null;
      if (request.status >= 200 && request.status < 300) this.events.done(this.before + file.size);
      else this.events.failed(errorOf(request.status, request.responseText));
    };
    request.onerror = () => {
      if (this.request !== request) return;
      this.request = null;
      this.events.failed(new ApiError(0, 'E_NETWORK', 'The connection was lost, or the file could not be read.'));
    };
    request.send(file);
  }

  cancel(): void {
    const request = this.request;
    this.request = null;
    request?.abort();
  }
}

export const putUploader: Uploader = {
  resumes: false,
  start: (task, events) => new PutUpload(task, events),
};
