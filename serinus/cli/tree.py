"""The text of `get rollout` and `get experiment`: a header and a tree, as lines.

Rows with empty last cells end in blanks, as in Argo Rollouts' output. Widths count visible characters, without
colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from serinus.api.messages.visible import visible
from serinus.api.records import record
from serinus.api.values.times import age_words, parse_time
from serinus.cli.framework.colors import Paint
from serinus.view.rollout_info import (
    AnalysisRunInfo,
    ExperimentInfo,
    JobInfo,
    Json,
    PodInfo,
    ReplicaSetInfo,
    RolloutInfo,
)
from serinus.view.status_icons import icon

ROLLOUT, REVISION, REPLICA_SET, POD, EXPERIMENT, ANALYSIS_RUN, JOB = "⟳#⧉□Σα⊞"


@record()
class TreeNode:
    """One row: its `sign` and `name`, its cells, and its child rows. `name` may contain colours."""

    sign: str
    name: str
    cells: tuple[str, str, str, str]
    children: list[TreeNode]


def rollout_lines(info: RolloutInfo, now: float, paint: Paint) -> list[str]:
    """All lines of `get rollout`."""
    header = [*_title(info.metadata, f"{paint(icon('Rollout', info.status))} {info.status}", info.message)]
    header.append(("Strategy:", info.strategy))
    if info.strategy == "Canary":
        header += [("  Step:", info.step), ("  SetWeight:", info.set_weight), ("  ActualWeight:", info.actual_weight)]
    header += _images([*info.replica_sets, *(rs for e in info.experiments for rs in e.replica_sets)], paint)
    header += [("Replicas:", ""), ("  Desired:", str(info.desired)), ("  Current:", str(info.current))]
    header += [("  Updated:", str(info.updated)), ("  Ready:", str(info.ready)), ("  Available:", str(info.available))]
    status = f"{paint(icon('Rollout', info.status))} {info.status}"
    root = TreeNode(
        ROLLOUT,
        _name(info.metadata),
        ("Rollout", status, _age(info.metadata, now), ""),
        [_revision(info, revision, now, paint) for revision in _revisions(info)],
    )
    return [*_header(header), "", *_table(root, paint)]


def experiment_lines(info: ExperimentInfo, now: float, paint: Paint) -> list[str]:
    """All lines of `get experiment`."""
    status = f"{paint(icon('Analysis', info.status))} {info.status}"
    header = [*_title(info.metadata, status, info.message), *_images(info.replica_sets, paint)]
    node = _experiment(info, now, paint)
    return [*_header(header), "", *_table(node, paint)]


def _title(metadata: Json, status: str, message: str) -> list[tuple[str, str]]:
    rows = [("Name:", _name(metadata)), ("Namespace:", visible(str(metadata.get("namespace")))), ("Status:", status)]
    return [*rows, ("Message:", visible(message))] if message else rows


def _header(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [label if label == "Replicas:" else f"{label:17}{value}" for label, value in rows]


def _images(sets: Sequence[ReplicaSetInfo], paint: Paint) -> list[tuple[str, str]]:
    """Each running image, with the roles of its ReplicaSets."""
    tags: dict[str, list[str]] = {}
    for rs in sets:
        if rs.replicas <= 0:
            continue
        roles = [*rs.roles, *([f"{EXPERIMENT}:{rs.template}"] if rs.template else [])]
        for image in dict.fromkeys(rs.images):
            tags[image] = sorted({*tags[image], *roles}) if image in tags else roles
    lines = [
        visible(image) + (f" ({', '.join(paint(tag) for tag in tags[image])})" if tags[image] else "")
        for image in sorted(tags)
    ]
    return [("Images:" if place == 0 else "", line) for place, line in enumerate(lines)]


def _revisions(info: RolloutInfo) -> list[int]:
    return sorted({o.revision for o in (*info.replica_sets, *info.experiments, *info.analysis_runs)}, reverse=True)


def _revision(info: RolloutInfo, revision: int, now: float, paint: Paint) -> TreeNode:
    sets = sorted((rs for rs in info.replica_sets if rs.revision == revision), key=lambda rs: _name(rs.metadata))
    experiments = sorted((e for e in info.experiments if e.revision == revision), key=lambda e: _born(e.metadata))
    runs = sorted((run for run in info.analysis_runs if run.revision == revision), key=lambda r: _born(r.metadata))
    children = [_replica_set(rs, now, paint) for rs in sets]
    children += [_experiment(e, now, paint) for e in experiments]
    children += [_analysis_run(run, now, paint) for run in runs]
    return TreeNode(REVISION, f"revision:{revision}", ("", "", "", ""), children)


def _replica_set(rs: ReplicaSetInfo, now: float, paint: Paint) -> TreeNode:
    roles = [role for role in ("stable", "canary", "active", "preview", "ping", "pong") if getattr(rs, role)]
    name = _name(rs.metadata)
    for role in roles:
        name = paint(name, role)
    notes = [paint(role) for role in roles]
    deadline = parse_time(rs.scale_down_deadline)
    if deadline is not None:
        notes.append("delay:" + (age_words(deadline - now) if deadline >= now else "passed"))
    pods = sorted(rs.pods, key=lambda pod: _born(pod.metadata))
    status = f"{paint(icon('ReplicaSet', rs.status))} {rs.status}"
    cells = ("ReplicaSet", status, _age(rs.metadata, now), ",".join(notes))
    return TreeNode(REPLICA_SET, name, cells, [_pod(pod, now, paint) for pod in pods])


def _pod(pod: PodInfo, now: float, paint: Paint) -> TreeNode:
    notes = [f"ready:{pod.ready}/{pod.containers}", *([f"restarts:{pod.restarts}"] if pod.restarts else [])]
    status = f"{paint(icon('Pod', pod.status))} {visible(pod.status)}"
    return TreeNode(POD, _name(pod.metadata), ("Pod", status, _age(pod.metadata, now), ",".join(notes)), [])


def _experiment(info: ExperimentInfo, now: float, paint: Paint) -> TreeNode:
    sets = sorted(info.replica_sets, key=lambda rs: _name(rs.metadata))
    runs = sorted(info.analysis_runs, key=lambda run: _born(run.metadata))
    children = [_replica_set(rs, now, paint) for rs in sets] + [_analysis_run(run, now, paint) for run in runs]
    status = f"{paint(icon('Analysis', info.status))} {info.status}"
    cells = ("Experiment", status, _age(info.metadata, now), "")
    return TreeNode(EXPERIMENT, paint(_name(info.metadata), info.status), cells, children)


def _analysis_run(run: AnalysisRunInfo, now: float, paint: Paint) -> TreeNode:
    counts = (("✔", run.successful), ("✖", run.failed), ("?", run.inconclusive), ("⚠", run.error))
    parts = [f"{paint(sign)} {count}" for sign, count in counts if count > 0]
    info = ",".join([*parts, *map(visible, run.verdicts)])
    status = f"{paint(icon('Analysis', run.status))} {run.status}"
    cells = ("AnalysisRun", status, _age(run.metadata, now), info)
    return TreeNode(
        ANALYSIS_RUN, paint(_name(run.metadata), run.status), cells, [_job(job, now, paint) for job in run.jobs]
    )


def _job(job: JobInfo, now: float, paint: Paint) -> TreeNode:
    started = parse_time(job.started_at)
    status = f"{paint(icon('Analysis', job.status))} {job.status}"
    cells = ("Job", status, "" if started is None else age_words(now - started), "")
    return TreeNode(JOB, paint(visible(job.name), job.status), cells, [])


def _table(root: TreeNode, paint: Paint) -> list[str]:
    rows = [("NAME", "KIND", "STATUS", "AGE", "INFO"), *_rows(root, "", "", "")]
    width_of = paint.width
    widths = [max(width_of(row[column]) for row in rows) + 2 for column in range(4)]
    return ["".join(_padded(row[c], widths[c], width_of) for c in range(4)) + row[4] for row in rows]


def _padded(cell: str, width: int, width_of: Callable[[str], int]) -> str:
    return cell + " " * (width - width_of(cell))


def _rows(node: TreeNode, prefix: str, branch: str, below: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [(f"{prefix}{branch}{node.sign} {node.name}", *node.cells)]
    for child in node.children:
        last = child is node.children[-1]
        rows += _rows(child, prefix + below, "└──" if last else "├──", "   " if last else "│  ")
    return rows


def _name(metadata: Json) -> str:
    return visible(str(metadata.get("name") or ""))


def _born(metadata: Json) -> tuple[str, str]:
    return str(metadata.get("creationTimestamp") or ""), _name(metadata)


def _age(metadata: Json, now: float) -> str:
    born = parse_time(str(metadata.get("creationTimestamp") or ""))
    return "<unknown>" if born is None else age_words(now - born)
