"""The forum: threads and what people wrote under a name of their choice."""

from __future__ import annotations

from example_app.clock import now
from example_app.database import Database
from example_app.models import Post, Thread


class Forum:
    """The board; every method blocks on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def threads(self) -> tuple[Thread, ...]:
        """All threads, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT threads.id, title, count(*) AS posts FROM threads JOIN posts ON posts.thread = threads.id"
                " GROUP BY threads.id ORDER BY threads.id DESC"
            )
            return tuple(Thread(**row) for row in rows)

    def title(self, thread: int) -> str | None:
        """What a thread is about, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT title FROM threads WHERE id = ?", (thread,)).fetchone()
        return str(row["title"]) if row else None

    def posts(self, thread: int) -> tuple[Post, ...]:
        """What was written in a thread."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT username, body, posted FROM posts WHERE thread = ? ORDER BY posted, rowid", (thread,)
            )
            return tuple(Post(**row) for row in rows)

    def begin(self, title: str, username: str, body: str) -> int:
        """Open a thread; its number."""
        with self._database.writing() as connection:
            thread = connection.execute("INSERT INTO threads (title) VALUES (?)", (title,)).lastrowid or 0
            connection.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (thread, username, body, _moment()))
        return thread

    def answer(self, thread: int, username: str, body: str) -> None:
        """Write into a thread."""
        with self._database.writing() as connection:
            connection.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (thread, username, body, _moment()))


def _moment() -> str:
    return now().isoformat(timespec="seconds")
