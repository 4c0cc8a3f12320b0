"""Print the README's table of settings: `python scripts/config_table.py`."""

from pydantic_core import PydanticUndefined

from serve_app.settings import PREDECESSOR_NAMES, Settings


def table() -> str:
    """A Markdown row for each setting: its name in a file, its default, memex's name for it."""
    theirs = {ours: name for name, ours in PREDECESSOR_NAMES.items()}
    rows = ["| setting | default | memex's name | what it is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        alias = f"`{theirs[name]}`" if name in theirs else ""
        rows.append(f"| `{name}` | {default} | {alias} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
