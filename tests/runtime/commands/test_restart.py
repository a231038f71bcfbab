"""`relay restart`: what it prints, and its exit codes."""

import socket
import threading

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main


@pytest.fixture
def answer(folder, tmp_path):
    """Answers a request on `gateway.socket` with these lines; returns the result of the command."""

    def run(*lines):
        folder.put("relay.yaml", "gateway.workers", 2)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "gateway.sock"))
            listening.listen()
            requests = []

            def serve():
                with listening.accept()[0] as accepted:
                    requests.append(accepted.recv(100))
                    accepted.sendall("".join(f"{line}\n" for line in lines).encode())

            thread = threading.Thread(target=serve)
            thread.start()
            result = CliRunner().invoke(main, ["restart", "-c", str(folder.path)])
            thread.join()
            assert requests == [b"restart\n"]
        return result

    return run


def test_each_replaced_worker_is_printed(answer):
    result = answer("worker 1 of 2 replaced: pid 5", "done")
    assert (result.exit_code, result.stdout) == (0, "worker 1 of 2 replaced: pid 5\ndone\n")


@pytest.mark.parametrize("lines", [("failed: the worker-1 process ended with status 2",), ("worker 1 replaced",), ()])
def test_an_incomplete_restart_is_a_failure(answer, lines):
    result = answer(*lines)
    assert result.exit_code == 1
    assert "not all workers were replaced" in result.stderr
    assert all(line in result.output for line in lines)


def test_a_gateway_of_one_process_has_nothing_to_replace(folder):
    result = CliRunner().invoke(main, ["restart", "-c", str(folder.path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gateway.workers is 1" in result.stderr


def test_a_gateway_that_does_not_run_is_named(folder):
    folder.put("relay.yaml", "gateway.workers", "auto")
    result = CliRunner().invoke(main, ["restart", "-c", str(folder.path)])
    assert result.exit_code == 2
    assert f"{folder.root}/gateway.sock: No such file or directory: no gateway with several workers" in result.stderr


def test_problems_of_the_settings_are_printed(folder):
    folder.put("relay.yaml", "gateway.workers", 0)
    result = CliRunner().invoke(main, ["restart", "-c", str(folder.path)])
    assert result.exit_code == 2
    assert "gateway.workers: is not valid; expected: a whole number from 1 to 64, or auto" in result.stderr
