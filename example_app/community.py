"""The pages for those who have bought something, or have something to say: downloads and the forum."""

from __future__ import annotations

import io
import zipfile

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from example_app.models import Line
from example_app.pages import page
from example_app.payload import payload, required
from example_app.shop import off_loop, shop_of, signed_in


async def downloads(request: Request) -> Response:
    """What one has bought, to fetch again."""
    return await page(request, "downloads.html", lines=(await _bought(request)).values())


async def download(request: Request) -> Response:
    """One product as an archive with its licence."""
    line = (await _bought(request)).get(request.path_params["sku"])
    if line is None:
        raise HTTPException(404, "You have not bought that.")
    held = f'attachment; filename="{line.sku}.zip"'
    return Response(_archive(line), media_type="application/zip", headers={"content-disposition": held})


async def _bought(request: Request) -> dict[str, Line]:
    customer = await signed_in(request)
    orders = await off_loop(shop_of(request).sales.orders, customer.id)
    return {line.sku: line for order in orders for line in order.lines}


def _archive(line: Line) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "LICENCE.txt", f"{line.title}\nSerial number {line.serial_number}\nFor one person, three computers.\n"
        )
        archive.writestr("READ ME.txt", f"{line.title} would be here, if anybody had recorded it.\n")
    return held.getvalue()


async def forum(request: Request) -> Response:
    """All threads."""
    return await page(request, "forum.html", threads=await off_loop(shop_of(request).forum.threads))


async def thread(request: Request) -> Response:
    """One thread."""
    board, number = shop_of(request).forum, request.path_params["id"]
    title = await off_loop(board.title, number)
    if title is None:
        raise HTTPException(404, "There is no such thread.")
    return await page(request, "thread.html", title=title, number=number, posts=await off_loop(board.posts, number))


async def begin(request: Request) -> Response:
    """Open a thread."""
    await signed_in(request)
    given = required(await payload(request), "title", "username", "body")
    number = await off_loop(shop_of(request).forum.begin, given["title"], given["username"], given["body"])
    return RedirectResponse(f"/forum/{number}", 303)


async def answer(request: Request) -> Response:
    """Write into a thread."""
    await signed_in(request)
    board, number = shop_of(request).forum, request.path_params["id"]
    if await off_loop(board.title, number) is None:
        raise HTTPException(404, "There is no such thread.")
    given = required(await payload(request), "username", "body")
    await off_loop(board.answer, number, given["username"], given["body"])
    return RedirectResponse(f"/forum/{number}", 303)


ROUTES: tuple[BaseRoute, ...] = (
    Route("/account/downloads", downloads),
    Route("/downloads/{sku}", download),
    Route("/forum", forum, methods=["GET"]),
    Route("/forum", begin, methods=["POST"]),
    Route("/forum/{id:int}", thread, methods=["GET"]),
    Route("/forum/{id:int}", answer, methods=["POST"]),
)
