// Reads files as the module asks for them, at once, as only a worker can. A read costs a round trip to the browser's other
// process, so short ones are served from blocks that are kept.
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

const kBlock = 512 * 1024;
const kBlocks = 16; // of a file, the last ones used

export class FileBytes {
  private readonly reader = new FileReaderSync();
  private readonly blocks = new Map<number, Uint8Array>(); // by number, the one used last at the end

  constructor(private readonly file: File) {}

  /** False: the file cannot be read any more, which is what happens once it was changed. */
  read(offset: number, into: Uint8Array): boolean {
    try {
      if (into.length >= kBlock) {
        into.set(this.load(offset, into.length));
        return true;
      }
      for (let done = 0; done < into.length; ) {
        const number = Math.floor((offset + done) / kBlock);
        const start = offset + done - number * kBlock;
        const piece = this.block(number).subarray(start, start + into.length - done);
        if (piece.length === 0) return false;
        into.set(piece, done);
        done += piece.length;
      }
      return true;
    } catch {
      return false;
    }
  }

  private load(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(this.reader.readAsArrayBuffer(this.file.slice(offset, offset + length)));
    if (bytes.length !== Math.min(length, this.file.size - offset)) throw new Error('the file is shorter than it was');
    return bytes;
  }

  private block(number: number): Uint8Array {
    let block = this.blocks.get(number);
    if (block === undefined) {
      block = this.load(number * kBlock, kBlock);
      const oldest = this.blocks.keys().next();
      if (this.blocks.size >= kBlocks && oldest.done !== true) this.blocks.delete(oldest.value);
    } else {
      this.blocks.delete(number);
    }
    this.blocks.set(number, block);
    return block;
  }
}
