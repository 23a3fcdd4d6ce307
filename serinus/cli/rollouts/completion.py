"""`completion`: scripts that let a shell complete commands, flags and the names of live objects.

Each asks `kubectl-argo-rollouts __complete`. For `kubectl argo rollouts` itself kubectl's own completion asks a program
`kubectl_complete-argo-rollouts` on $PATH.
"""

from __future__ import annotations

import sys

from serinus.cli.commandline import Call, Command
from serinus.cli.problems import Problem

BASH = """\
_kubectl_argo_rollouts() {
    local line candidates=() last=":4" IFS=$'\\n'
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) last="$line" ;;
            *) candidates+=("${line%%$'\\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __completeNoDesc "${words[@]}" 2>/dev/null)
    COMPREPLY=("${candidates[@]}")
    if [[ "$last" == ":0" && ${#candidates[@]} -eq 0 ]]; then
        compopt -o default
    fi
}
complete -F _kubectl_argo_rollouts kubectl-argo-rollouts
"""
ZSH = """\
#compdef kubectl-argo-rollouts
_kubectl_argo_rollouts() {
    local line last=":4"
    local -a candidates
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) last="$line" ;;
            *) line="${line//:/\\\\:}"; candidates+=("${line/$'\\t'/:}") ;;
        esac
    done < <("${words[1]}" __complete "${(@)words[2,$CURRENT]}" 2>/dev/null)
    if (( ${#candidates} )); then
        _describe 'kubectl-argo-rollouts' candidates
    elif [[ "$last" == ":0" ]]; then
        _files
    fi
}
compdef _kubectl_argo_rollouts kubectl-argo-rollouts
"""
FISH = """\
function __kubectl_argo_rollouts
    set -l words (commandline -opc) (commandline -ct)
    for line in (kubectl-argo-rollouts __complete $words[2..-1] 2>/dev/null)
        string match -qr '^:[0-9]' -- $line; or echo $line
    end
end
complete -c kubectl-argo-rollouts -f -a '(__kubectl_argo_rollouts)'
"""
POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName 'kubectl-argo-rollouts' -ScriptBlock {
    param($typed, $line, $position)
    $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($typed -eq '') { $words += '""' }
    & kubectl-argo-rollouts __complete @words 2>$null | Where-Object { $_ -notmatch '^:[0-9]' } | ForEach-Object {
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
        raise Problem(f'invalid argument "{call.args[0]}" for completion', f"Shells: {', '.join(SCRIPTS)}")
    sys.stdout.write(script)
    return 0


COMMAND = Command(
    run,
    "Print the script that lets a shell complete commands, flags and names.",
    "bash|zsh|fish|powershell",
    ("source <(kubectl-argo-rollouts completion bash)",),
    least=1,
    most=1,
    words=tuple(SCRIPTS),
)
