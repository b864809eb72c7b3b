"""What the shop opens with: its catalogue, and a handful of invented people and orders."""

from __future__ import annotations

import sqlite3

from example_app.passwords import key_digest, seal

PASSWORD = "four-on-the-floor"  # noqa: S105 - of every invented customer; there is nobody behind them
PARTNER_KEYS = {
    "shipper": "key-of-the-shipper-2f6c1d",
    "mailer": "key-of-the-mailer-88b0e4",
    "p1": "key-of-the-cymbal-club-07ac3e",
    "artist": "key-of-the-drummers-51d9b2",
    "m2": "key-of-the-analyst-c4e817",
    "postal-service": "key-of-the-post-office-9f20d6",
}

_PRODUCTS = (
    (
        "DL-NORRLAND",
        "Norrland Kit",
        "Drum library",
        "Four kits, one wooden church, an unreasonable amount of air.",
        "Recorded over nine days in a timber church outside Sundsvall with eleven microphone positions. Birch, maple, "
        "bubinga and a 1967 kit that nobody was allowed to tune. Every hit in up to twelve velocity layers, with "
        "separate bleed for each microphone.",
        14900,
        "41 GB",
    ),
    (
        "DL-KALLAREN",
        "Källaren",
        "Drum library",
        "Dry, close and slightly angry: drums from a basement rehearsal room.",
        "Low ceiling, carpet on the walls, tape on the heads. Three snares, two kicks and hats that never quite close, "
        "played by a drummer who was late for the train.",
        8900,
        "12 GB",
    ),
    (
        "DL-BRUSHES",
        "Brushes at Midnight",
        "Drum library",
        "Brushes, mallets and hot rods on calf skin.",
        "Sweeps at five tempi that follow your session, taps, slaps and everything between. For ballads, for jazz, for "
        "the last song of the night.",
        9900,
        "18 GB",
    ),
    (
        "MP-SYNCOPE",
        "Syncope",
        "MIDI pack",
        "640 grooves in odd and broken metres.",
        "Seven, eleven and thirteen that still nod. Played on an electronic kit by two people who disagree about where "
        "the one is. Mapped for all common drum samplers.",
        2900,
        "9 MB",
    ),
    (
        "MP-POCKET",
        "Deep Pocket",
        "MIDI pack",
        "Straight grooves that sit where they should.",
        "420 grooves and fills between 68 and 124 beats a minute, none of them quantised.",
        2400,
        "6 MB",
    ),
    (
        "PL-RUMKLANG",
        "Rumklang",
        "Plug-in",
        "A room reverb that knows it is for drums.",
        "Twelve measured rooms, a damper you can play, and a gate that listens to the snare. VST3, AU and AAX for "
        "macOS and Windows.",
        7900,
        "380 MB",
    ),
    (
        "PL-TAPEFOLK",
        "Tapefolk",
        "Plug-in",
        "Three worn tape machines and a kind limiter.",
        "Saturation, wow and a bias control that goes too far. VST3, AU and AAX for macOS and Windows.",
        5900,
        "96 MB",
    ),
    (
        "PL-HALVTAKT",
        "Halvtakt Player",
        "Plug-in",
        "Our sampler, free with every library.",
        "Loads every Halvtakt library, mixes the microphones, exports stems.",
        0,
        "210 MB",
    ),
)

_CUSTOMERS = (
    (
        "c-1001",
        "ann@example.org",
        "Ann Lindqvist",
        "+46 70 174 06 35",
        "Strandgatan 3, 531 30 Lidköping, Sweden",
        "1988-04-17",
        "female",
        "customer",
    ),
    (
        "c-1002",
        "bob@example.org",
        "Bob Verhoeven",
        "+32 460 22 17 44",
        "Lange Nieuwstraat 12, 2000 Antwerpen, Belgium",
        "1979-11-02",
        "male",
        "customer",
    ),
    (
        "c-1003",
        "carol@example.org",
        "Carol Meißner",
        "+49 1555 0111 228",
        "Gartenweg 8, 04109 Leipzig, Germany",
        "2009-06-30",
        "female",
        "customer",
    ),
    (
        "c-1004",
        "dave@example.org",
        "Dave Okafor",
        "+353 20 910 4477",
        "5 Quay Street, Galway, Ireland",
        "1995-01-23",
        "male",
        "customer",
    ),
    (
        "c-1900",
        "erik@halvtakt.example",
        "Erik Sandell",
        "+46 70 174 06 01",
        "Verkstadsgatan 1, 903 21 Umeå, Sweden",
        None,
        None,
        "staff",
    ),
)  # fmt: skip - one person a pair of lines reads as the table it is

_ORDERS = (
    ("HA-20001", "c-1001", "2026-09-03T18:22:10+00:00", "delivered", (("DL-NORRLAND", "NK4F-7Q2M-88TD"),)),
    (
        "HA-20002",
        "c-1001",
        "2026-11-11T08:05:43+00:00",
        "paid",
        (("MP-SYNCOPE", "SY0P-33LA-Z1XE"), ("PL-RUMKLANG", "RK9W-D4HH-51BC")),
    ),
    ("HA-20003", "c-1002", "2026-10-20T21:40:00+00:00", "delivered", (("DL-KALLAREN", "KA7T-60PX-MM3S"),)),
    ("HA-20004", "c-1004", "2026-11-18T12:15:31+00:00", "paid", (("PL-TAPEFOLK", "TF2C-99JE-0RQV"),)),
)  # fmt: skip - as above

_DEALERS = (
    ("Trumhuset", "Stockholm", "SE", 59.33, 18.07),
    ("Musikmagasinet", "Göteborg", "SE", 57.71, 11.97),
    ("Slagwerkkelder", "Antwerpen", "BE", 51.22, 4.40),
    ("Schlagzeug Nord", "Hamburg", "DE", 53.55, 9.99),
)

_STANDING = (("c-1002", "objected", "customer-survey"), ("c-1004", "restricted", ""))


_FIGURES = (
    ("kind", "Drum library", 412),
    ("kind", "MIDI pack", 198),
    ("kind", "Plug-in", 243),
    ("town", "Stockholm", 117),
    ("town", "Antwerpen", 38),
    ("town", "Arvidsjaur", 2),
)
_THREADS = (
    ("Bleed on the Norrland overheads", "paradiddle", "How much of the snare do you leave in the overheads?"),
    ("Eleven eight without a headache", "offbeat_ola", "Count it as three, three, three and two. You are welcome."),
)


def sow(connection: sqlite3.Connection) -> None:
    """Fill an empty shop, inside the caller's transaction."""
    connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, ?)", _PRODUCTS)
    sealed = seal(PASSWORD)
    connection.executemany(
        "INSERT INTO customers (id, email, name, phone, address, date_of_birth, gender, role, password, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '2026-03-01')",
        [(*customer, sealed) for customer in _CUSTOMERS],
    )
    connection.executemany("INSERT INTO dealers VALUES (?, ?, ?, ?, ?)", _DEALERS)
    connection.executemany("INSERT INTO standing VALUES (?, ?, ?)", _STANDING)
    connection.executemany(
        "INSERT INTO partner_keys VALUES (?, ?)", [(party, key_digest(key)) for party, key in PARTNER_KEYS.items()]
    )
    connection.executemany("INSERT INTO figures VALUES (?, ?, ?)", _FIGURES)
    for number, (title, username, body) in enumerate(_THREADS, 1):
        connection.execute("INSERT INTO threads VALUES (?, ?)", (number, title))
        connection.execute("INSERT INTO posts VALUES (?, ?, ?, '2026-11-02T19:30:00+00:00')", (number, username, body))
    _sow_orders(connection)


def _sow_orders(connection: sqlite3.Connection) -> None:
    for order, customer, placed, status, bought in _ORDERS:
        connection.execute(
            "INSERT INTO orders SELECT ?, id, name, email, phone, address, date_of_birth, gender, '192.0.2.17', ?, ?"
            " FROM customers WHERE id = ?",
            (order, placed, status, customer),
        )
        connection.executemany(
            "INSERT INTO order_lines SELECT ?, sku, title, 1, price, ? FROM products WHERE sku = ?",
            [(order, serial, sku) for sku, serial in bought],
        )
