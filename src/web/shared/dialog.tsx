// Questions before something that cannot be undone. The browser's own modal dialog keeps the focus and knows Escape.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Store, useStore } from './store';

export interface Question {
  title: string;
  content: ComponentChildren;
  confirm: string; // what the button does, as a verb
  danger?: boolean;
  only?: boolean; // nothing to decide: the one button closes it
}

interface Open {
  question: Question;
  answer: (confirmed: boolean) => void;
}

const open = new Store<Open | null>(null);

/** Asks one question at a time; an earlier one that is still open counts as answered with no. */
export function ask(question: Question): Promise<boolean> {
  open.get()?.answer(false);
  return new Promise((resolve) => {
    open.set({
      question,
      answer: (confirmed) => {
        open.set(null);
        resolve(confirmed);
      },
    });
  });
}

function Modal({ question, answer }: Open) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    answer(true);
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="dialog-title" onCancel={() => answer(false)} onClose={() => answer(false)}>
      <form method="dialog" onSubmit={submit}>
        <h2 id="dialog-title">{question.title}</h2>
        <div class="dialog-content">{question.content}</div>
        <div class="dialog-buttons">
          {question.only !== true && (
            <button type="button" onClick={() => answer(false)}>
              Keep as it is
            </button>
          )}
          <button type="submit" class={question.danger === true ? 'danger' : 'primary'}>
            {question.confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

export function DialogHost() {
  const now = useStore(open);
  return now === null ? null : <Modal {...now} />;
}
