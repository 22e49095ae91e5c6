"""Refuses requests that web pages make. LocalStack accepts any Host, which a page can make resolve to this machine, and
pages of some origins; this project accepts neither.
"""

import re

from localstack.aws import handlers
from localstack.aws.api import RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response
from localstack.runtime import hooks

# Names that cannot be made to resolve first to another machine and then to this one, and names below them, such as a
# bucket's.
LOCAL = re.compile(r"(.+\.)?(127\.0\.0\.1|localhost|\[::1\]|localhost\.localstack\.cloud)(:\d+)?", re.IGNORECASE)


@hooks.on_infra_start()
def refuse_pages_elsewhere() -> None:
    # This part of the chain is open to extensions, and runs before anything is done.
    handlers.preprocess_request.append(refuse_page_elsewhere)


def refuse_page_elsewhere(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    if comes_from_page_elsewhere(context.request.headers.get("Host", ""), context.request.headers.get("Origin")):
        response.status_code = 403
        response.set_response(b'{"message": "only programs on this machine are served"}')
        chain.terminate()


def comes_from_page_elsewhere(host: str, origin: str | None) -> bool:
    return LOCAL.fullmatch(host) is None or origin not in (None, f"http://{host}")
