"""Targets, and the deployments on them."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import work
from .base import MlopsHandler


class TargetsHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer_all(await (await self.services()).deploying.targets())


class DeploymentsHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        page = self.page()
        found = await (await self.services()).deploying.list(limit=page.ask, after=page.after)
        self.answer_page(found, page, lambda deployment: deployment.id)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.deployments import CreateDeployment

        body = self.body(CreateDeployment)
        services = await self.services()
        # A wrong option is told at once, where the form can show it.
        await services.deploying.plan(body.package, body.target, body.name, body.options)
        operation = await services.operations.start(
            "deploy", body.name or body.package, work.deploy(services, body)
        )
        self.accepted(operation)


class PlanHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.deployments import CreateDeployment

        body = self.body(CreateDeployment)
        deploying = (await self.services()).deploying
        self.answer(await deploying.plan(body.package, body.target, body.name, body.options))


class DeploymentHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(await (await self.services()).deploying.get(id))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        services = await self.services()
        deployment = await services.deploying.get(id)
        operation = await services.operations.start(
            "delete", deployment.name, work.delete_deployment(services, deployment.id)
        )
        self.accepted(operation)

    @web.authenticated
    @authorized
    async def patch(self, id: str) -> None:
        from ..schemas.deployments import UpdateDeployment

        body = self.body(UpdateDeployment)
        services = await self.services()
        deployment = await services.deploying.get(id)
        update = work.update_deployment(services, deployment.id, body)
        self.accepted(await services.operations.start("update", deployment.name, update))


class RollBackHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        services = await self.services()
        deployment = await services.deploying.get(id)
        back = work.roll_back_deployment(services, deployment.id)
        self.accepted(await services.operations.start("rollback", deployment.name, back))


class ReviewHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.deployments import Review

        body = self.body(Review)
        deploying = (await self.services()).deploying
        self.answer(await deploying.review(id, body.approved, body.note))


class TurnHandler(MlopsHandler):
    """Stop what can be started again, and start it."""

    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def post(self, id: str, verb: str) -> None:
        services = await self.services()
        deployment = await services.deploying.get(id)
        turn = work.turn_deployment(services, deployment.id, verb)
        self.accepted(await services.operations.start(verb, deployment.name, turn))


class InvokeHandler(MlopsHandler):
    auth_resource = "mlops-deployments"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.deployments import InvocationAnswer, Invoke

        body = self.body(Invoke)
        sent = None if body.body is None else body.body.encode()
        deploying = (await self.services()).deploying
        invocation, latencies = await deploying.invoke_often(
            id, body.times, sent, body.content_type, body.accept
        )
        self.answer(InvocationAnswer.of(invocation, latencies))


class LogsHandler(MlopsHandler):
    auth_resource = "mlops-deployments"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer({"text": await (await self.services()).deploying.logs(id)})


_DEPLOYMENT = r"/mlops/deployments/([^/]+)"

default_handlers = [
    (r"/mlops/targets", TargetsHandler),
    (r"/mlops/deployments", DeploymentsHandler),
    (r"/mlops/deployments/plan", PlanHandler),
    (_DEPLOYMENT, DeploymentHandler),
    (rf"{_DEPLOYMENT}/(stop|start)", TurnHandler),
    (rf"{_DEPLOYMENT}/rollback", RollBackHandler),
    (rf"{_DEPLOYMENT}/review", ReviewHandler),
    (rf"{_DEPLOYMENT}/invoke", InvokeHandler),
    (rf"{_DEPLOYMENT}/logs", LogsHandler),
]
