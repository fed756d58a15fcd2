/* completion.c - scripts for shells.  Verbs stand in the script, options are
 * asked of the binary's own --help. */
#include "base/completion.h"

#include <stdio.h>
#include <string.h>

static const char bash[] =
    "_linkbell() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        COMPREPLY=($(compgen -W \"$_linkbell_verbs --help --version\" -- "
    "\"$word\"))\n"
    "    elif [ \"${word#-}\" != \"$word\" ]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" "
    "\"${COMP_WORDS[1]}\" --help 2>/dev/null |\n"
    "            grep -oE -- '--[a-z][a-z-]*' | sort -u)\" -- \"$word\"))\n"
    "    fi\n"
    "}\n"
    "complete -o default -F _linkbell linkbell\n";

static const char zsh[] =
    "_linkbell() {\n"
    "    if (( CURRENT == 2 )); then\n"
    "        _describe command _linkbell_verbs\n"
    "    elif [[ ${words[CURRENT]} == -* ]]; then\n"
    "        compadd -- ${(f)\"$(${words[1]} ${words[2]} --help 2>/dev/null |\n"
    "            grep -oE -- '--[a-z][a-z-]*' | sort -u)\"}\n"
    "    else\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "compdef _linkbell linkbell\n";

static void print_bash(const struct lb_cli_verb *verbs, size_t count)
{
    (void)printf("# bash completion of linkbell: source it, or put it into\n"
                 "# /usr/share/bash-completion/completions/linkbell\n"
                 "_linkbell_verbs=\"");
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s%s", i > 0 ? " " : "", verbs[i].name);
    }
    (void)printf(" completion\"\n%s", bash);
}

static void print_zsh(const struct lb_cli_verb *verbs, size_t count)
{
    (void)printf("#compdef linkbell\n_linkbell_verbs=(\n");
    for (size_t i = 0; i < count; i++) {
        (void)printf("    '%s:%s'\n", verbs[i].name, verbs[i].help);
    }
    (void)printf("    'completion:for bash or zsh'\n)\n%s", zsh);
}

int lb_completion_print(const struct lb_cli_verb *verbs,
                        size_t count,
                        int argc,
                        char **argv)
{
    if (argc == 2 && strcmp(argv[1], "bash") == 0) {
        print_bash(verbs, count);
    } else if (argc == 2 && strcmp(argv[1], "zsh") == 0) {
        print_zsh(verbs, count);
    } else if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)printf("usage: linkbell completion bash|zsh\n");
    } else {
        (void)fprintf(stderr, "usage: linkbell completion bash|zsh\n");
        return LB_CLI_USAGE;
    }
    return LB_CLI_OK;
}
