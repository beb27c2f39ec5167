// The WebSocket to the server. Its messages, one behind the other, are the bytes of a connection; their borders mean nothing.

export interface LineEvents {
  opened: (rttSeconds: number) => void;
  received: (bytes: Uint8Array) => void;
  writable: () => void; // again, after writable() was false
  measured: (rttSeconds: number, bytesPerSecond: number) => void;
  closed: () => void; // once; it could not be opened, or is lost
}

const kProtocol = 'millrace.1';
const kHighWater = 1024 * 1024;
const kLookMs = 20;
const kLastingMs = 10_000;
const kMeasureMs = 500;

export class Line {
  stood = false; // it was opened
  private readonly socket: WebSocket;
  private readonly begun = performance.now();
  private timer = 0;
  private rttSeconds = 0;
  private busySince = 0; // since when there has always been something to send
  private sent = 0; // bytes, since then
  private dropped = false;

  constructor(
    address: string,
    private readonly events: LineEvents,
  ) {
    this.socket = new WebSocket(address, kProtocol);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onopen = () => {
      this.stood = true;
      this.rttSeconds = (performance.now() - this.begun) / 2000; // TCP's handshake and the request
      this.events.opened(this.rttSeconds);
    };
    this.socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      if (!this.dropped) this.events.received(new Uint8Array(event.data));
    };
    this.socket.onclose = () => {
      if (!this.dropped) this.events.closed();
    };
  }

  /** It stood for long enough that what ended it is another matter than what ended the one before. */
  lasted(): boolean {
    return this.stood && performance.now() - this.begun > kLastingMs;
  }

  /** False: the browser holds enough that is not sent yet. */
  writable(): boolean {
    if (!this.stood || this.socket.readyState !== WebSocket.OPEN) return false;
    if (this.socket.bufferedAmount < kHighWater) return true;
    this.wait();
    return false;
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.socket.bufferedAmount === 0) {
      this.busySince = performance.now();
      this.sent = 0;
    }
    this.sent += bytes.length;
    this.socket.send(bytes);
  }

  /** Nothing is called any more. */
  drop(): void {
    this.dropped = true;
    self.clearTimeout(this.timer);
    this.socket.close();
  }

  /** There is no event for it. */
  private wait(): void {
    if (this.timer !== 0) return;
    this.timer = self.setTimeout(() => {
      this.timer = 0;
      if (this.socket.bufferedAmount >= kHighWater && this.socket.readyState === WebSocket.OPEN) {
        this.wait();
        return;
      }
      const passed = performance.now() - this.busySince;
      if (passed > kMeasureMs) this.events.measured(this.rttSeconds, (1000 * (this.sent - this.socket.bufferedAmount)) / passed);
      this.events.writable();
    }, kLookMs);
  }
}
