"""The three pages that every process has: /healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from watchkeeper_shared.observability.health import Health, Report
from watchkeeper_shared.observability.serving import serve, served, stop_on_signals

__all__ = ["probe_app", "process_registry", "router", "serve", "served", "stop_on_signals"]


def router(health: Health, registry: CollectorRegistry) -> APIRouter:
    """Return the pages, for including into a service's application.

    /healthz and /readyz answer 200 or 503 with each check and its reason; /metrics answers
    in the form that the scraper asks for. All run in the thread pool: they may wait.
    """
    pages = APIRouter(include_in_schema=False)

    @pages.get("/healthz")
    def healthz() -> JSONResponse:
        return _answer(health.liveness())

    @pages.get("/readyz")
    def readyz() -> JSONResponse:
        return _answer(health.readiness())

    @pages.get("/metrics")
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return pages


def probe_app(health: Health, registry: CollectorRegistry) -> FastAPI:
    """Return an application with nothing but the pages, for a worker process."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router(health, registry))
    return app


def process_registry() -> CollectorRegistry:
    """Return a registry with the process's own figures: CPU, memory, open files, start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def _answer(report: Report) -> JSONResponse:
    body = {"ok": report.ok, "checks": dict(report.checks)}
    return JSONResponse(body, status_code=200 if report.ok else 503)
