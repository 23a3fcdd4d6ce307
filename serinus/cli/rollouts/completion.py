"""`completion`: scripts that let a shell complete commands, flags and the names of live objects.

Each script calls the program that printed it: `kubectl-argo-rollouts __complete` or `serinus __complete`. For `kubectl
argo rollouts`, kubectl's own completion calls a program `kubectl_complete-argo-rollouts` on $PATH.
"""

from __future__ import annotations

import sys

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem

SHORT = "Print the completion script of a shell"

BASH = """\
_%FUNCTION%() {
    local IFS=$'\\n' word line last=":4" before="" glue=""
    local words=() candidates=()
    # Bash takes `--flag=value` apart; here it is one word.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#words[@]} -gt 0 && ( "$word" == "=" || -n "$glue" ) ]]; then
            words[${#words[@]}-1]+="$word"
        else
            words+=("$word")
        fi
        [[ "$word" == "=" ]] && glue=1 || glue=""
    done
    word="${words[${#words[@]}-1]}"
    [[ "$word" == -*=* && "$COMP_WORDBREAKS" == *=* ]] && before="${word%%=*}="
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) last="$line" ;;
            *) line="${line%%$'\\t'*}"; candidates+=("${line#"$before"}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __completeNoDesc "${words[@]}" 2>/dev/null)
    COMPREPLY=("${candidates[@]}")
    type compopt >/dev/null 2>&1 || return 0
    [[ "$last" == ":0" && ${#candidates[@]} -eq 0 ]] && compopt -o default
    [[ "$last" == ":6" ]] && compopt -o nospace
    return 0
}
complete -F _%FUNCTION% %PROGRAM%
"""
ZSH = """\
#compdef %PROGRAM%
_%FUNCTION%() {
    local line last=":4"
    local -a candidates
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) last="$line" ;;
            *) line="${line//:/\\\\:}"; candidates+=("${line/$'\\t'/:}") ;;
        esac
    done < <("${words[1]}" __complete "${(@)words[2,$CURRENT]}" 2>/dev/null)
    if (( ${#candidates} )) && [[ "$last" == ":6" ]]; then
        _describe '%PROGRAM%' candidates -S ''
    elif (( ${#candidates} )); then
        _describe '%PROGRAM%' candidates
    elif [[ "$last" == ":0" ]]; then
        _files
    fi
}
if [ "$funcstack[1]" = "_%PROGRAM%" ]; then
    # Loaded from a file of $fpath by this name, to complete at once.
    _%FUNCTION% "$@"
else
    compdef _%FUNCTION% %PROGRAM%
fi
"""
FISH = """\
function __%FUNCTION%
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l lines (%PROGRAM% __complete $before[2..-1] "$typed" 2>/dev/null)
    set -l last $lines[-1]
    set -e lines[-1]
    if test "$last" = ":0" -a (count $lines) -eq 0
        __fish_complete_path "$typed"
    else if test (count $lines) -gt 0
        printf '%s\\n' $lines
    end
end
complete -c %PROGRAM% -f -a '(__%FUNCTION%)'
"""
POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName '%PROGRAM%' -ScriptBlock {
    param($typed, $line, $position)
    $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($typed -eq '') { $words += '""' }
    & %PROGRAM% __complete @words 2>$null | Where-Object { $_ -notmatch '^:[0-9]' } | ForEach-Object {
        $parts = $_ -split "`t", 2
        $about = if ($parts.Count -gt 1 -and $parts[1]) { $parts[1] } else { $parts[0] }
        [System.Management.Automation.CompletionResult]::new($parts[0], $parts[0], 'ParameterValue', $about)
    }
}
"""
SCRIPTS = {"bash": BASH, "fish": FISH, "powershell": POWERSHELL, "zsh": ZSH}


def run(call: Call) -> int:
    script = SCRIPTS.get(call.args[0])
    if script is None:
        raise Problem(f'invalid argument "{call.args[0]}" for completion', f"Shells: {', '.join(SCRIPTS)}", code=USAGE)
    name = call.target.program.name.split()[0]
    sys.stdout.write(script.replace("%FUNCTION%", name.replace("-", "_")).replace("%PROGRAM%", name))
    return 0


COMMAND = Command(
    run,
    "Print the script that lets a shell complete commands, flags and names.",
    "bash|zsh|fish|powershell",
    (
        "source <(kubectl-argo-rollouts completion bash)",
        "source <(serinus completion zsh)",
        "serinus completion fish | source",
    ),
    least=1,
    most=1,
    words=tuple(SCRIPTS),
)
