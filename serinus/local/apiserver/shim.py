try:
    from serinus.local.schema.managed import ApplyConflict, apply, track
except ImportError:

    class ApplyConflict(Exception):
        conflicts = []

    def track(kind, old, new, *, manager, now, subresource=""):
        return (old or {}).get("metadata", {}).get("managedFields") or []

    def apply(kind, live, applied, *, manager, force, now, subresource=""):
        from serinus.local.schema.patches import merge_patch

        return merge_patch(live or {}, applied)
