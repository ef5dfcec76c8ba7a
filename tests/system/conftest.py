"""The fixtures of the system tests, and what is shown when one fails."""

import pytest

from support import Server, ServerLost, Vms


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; part of `make check-long` only")


@pytest.fixture(scope="session")
def emulated_server():
    server = Server(cpus=1, memory="2G")
    yield server
    server.close()


@pytest.fixture
def server(emulated_server):
    """The server, up."""
    emulated_server.ensure()
    return emulated_server


def ended_at_last(vms):
    try:
        yield vms
    finally:
        try:
            vms.close()
        except ServerLost:
            pass  # and everything on it


@pytest.fixture
def vms(server):
    """Starts virtual machines for one test."""
    yield from ended_at_last(Vms(server))


@pytest.fixture(scope="module")
def module_vms(emulated_server):
    """Starts virtual machines for all tests of a module."""
    yield from ended_at_last(Vms(emulated_server))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for name in ("vms", "module_vms"):
        for process in item.funcargs.get(name, Vms(None)).running:
            report.sections.append((f"on the server: {process.directory}", tails(process)))
    # At once, not at the end: the rest may take minutes.
    terminal = item.config.pluginmanager.get_plugin("terminalreporter")
    terminal.write_line(f"\n{report.longreprtext}")
    for title, text in report.sections:
        terminal.write_line(f"--- {title}\n{text}")


def tails(process):
    try:
        return process.tails()
    except (ServerLost, AssertionError) as failure:
        return str(failure)
