# Completion for millrace, millraced and millrace-load: what there is to complete is what their --help says, so that no
# list here can go stale.
_millrace_words() { # PROGRAM [SUBCOMMAND] : its options, and without one its subcommands
  "$@" --help 2>/dev/null | sed -nE \
    -e 's/^  (-[^ ]*,)?(--[a-z][a-z0-9-]*).*/\2/p' \
    -e '/^Subcommands:/,/^$/ s/^  ([a-z][a-z-]*)(, [a-z]+)? .*/\1/p'
}

_millrace_choices() { # OPTION PROGRAM SUBCOMMAND : the values of an option that has a few
  local option=$1
  shift
  "$@" --help 2>/dev/null | sed -nE \
    -e "s/^  (-[^ ]*,)?$option ([a-z0-9]+(\|[a-z0-9]+)+)(=.*| .*)?\$/\2/p" \
    -e "s/^  (-[^ ]*,)?$option [A-Z]+:\{([a-z0-9,]+)\}.*/\2/p" | tr '|,' '\n\n'
}

_millrace() {
  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i subcommand=""
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == -* ]] || { subcommand=${COMP_WORDS[i]}; break; }
  done
  local -a command=("$program")
  [[ -n $subcommand ]] && command+=("$subcommand")
  COMPREPLY=()
  if [[ $previous == --* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_millrace_choices "$previous" "${command[@]}")" -- "$word")
    ((${#COMPREPLY[@]})) && return
  fi
  if [[ $word == -* || -z $subcommand ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_millrace_words "${command[@]}")" -- "$word")
  fi
}

# Where nothing of this fits: names of files.
complete -o default -F _millrace millrace millraced millrace-load
