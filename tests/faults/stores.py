"""A ``BlobStore`` that can be made to stand still, or to fail, at each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from storage import BlobReader, Locator, Observer, Sidecar
from storage.checked import CheckedStore
from storage.driver import Driver, DriverAppending, DriverStaged
from tests.faults.points import Points


class FaultyStore(CheckedStore):
    """As every store, but its driver passes the points of ``Points``.

    Faults come from below the checks that all stores share, as real ones do.
    """

    points: Points

    def __init__(self, driver: Driver, *, name: str | None = None, observer: Observer | None = None) -> None:
        _instrument(driver, name or driver.name, self.points)
        super().__init__(driver, name=name, observer=observer)


def _instrument(driver: Any, store: str, points: Points) -> None:
    """Put the points around those methods that the driver has."""

    def around(name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        method = getattr(driver, name, None)
        if method is not None:
            setattr(driver, name, wrap(method))

    def pointed(point: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
            def pointed_method(*args: Any, **kwargs: Any) -> Any:
                points.reach(f"{point}.before", store=store)
                points.expect(store, writes=True)
                result = method(*args, **kwargs)
                points.reach(f"{point}.after", store=store)
                return result

            return pointed_method

        return wrap

    def staging(method: Callable[..., Any]) -> Callable[..., Any]:
        def stage(*args: Any, **kwargs: Any) -> DriverStaged:
            points.reach("stage", store=store)
            points.expect(store, writes=True)
            return _Staged(method(*args, **kwargs), store, points)

        return stage

    def appending(method: Callable[..., Any]) -> Callable[..., Any]:
        def append(*args: Any, **kwargs: Any) -> DriverAppending:
            points.expect(store, writes=True)
            return _Appending(method(*args, **kwargs), store, points)

        return append

    def reading(point: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
            def opened(*args: Any, **kwargs: Any) -> BlobReader:
                points.expect(store, writes=False)
                return _Reader(method(*args, **kwargs), store, points, point)

            return opened

        return wrap

    def asking(method: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **kwargs: Any) -> Any:
            points.expect(store, writes=False)
            return method(*args, **kwargs)

        return asked

    around("stage", staging)
    around("append_staged", appending)
    around("open", reading("read"))
    around("open_staged", reading("read staged"))
    around("open_multipart", reading("read staged"))
    around("publish_multipart", pointed("publish"))
    around("complete_multipart", pointed("complete"))
    around("delete", pointed("delete"))
    for name in ("stat", "sidecar", "check", "staged_size", "list_parts"):
        around(name, asking)


class _Staged:
    def __init__(self, staged: DriverStaged, store: str, points: Points, *, size: int = 0) -> None:
        self._staged = staged
        self._store = store
        self._points = points
        self._written = size

    def write(self, data: memoryview) -> None:
        self._points.expect(self._store, writes=True)
        self._staged.write(data)
        self._written += len(data)
        self._points.reach("write", store=self._store, size=self._written)

    def publish(self, sidecar: Sidecar) -> Locator:
        self._points.reach("publish.before", store=self._store)
        self._points.expect(self._store, writes=True)
        locator = self._staged.publish(sidecar)
        self._points.reach("publish.after", store=self._store)
        return locator

    def abort(self) -> None:
        self._points.expect(self._store, writes=False)
        self._staged.abort()


class _Appending(_Staged):
    def __init__(self, appending: DriverAppending, store: str, points: Points) -> None:
        super().__init__(appending, store, points, size=appending.size)
        self._appending = appending

    @property
    def size(self) -> int:
        return self._appending.size

    def suspend(self) -> None:
        self._points.reach("suspend", store=self._store)
        self._points.expect(self._store, writes=True)
        self._appending.suspend()

    def revert(self) -> None:
        self._points.expect(self._store, writes=True)
        self._appending.revert()

    def close(self) -> None:
        self._appending.close()


class _Reader:
    def __init__(self, reader: BlobReader, store: str, points: Points, point: str) -> None:
        self._reader = reader
        self._store = store
        self._points = points
        self._point = point
        self._size = 0

    def read(self, size: int = -1, /) -> bytes:
        self._points.expect(self._store, writes=False)
        data = self._reader.read(size)
        self._size += len(data)
        self._points.reach(self._point, store=self._store, size=self._size)
        return data

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
