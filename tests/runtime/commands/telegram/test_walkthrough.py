"""The page docs/start/telegrams.md leads to a connected core: its files and commands, with a core written by hand."""

import json
import re
import socketserver
import threading
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[4] / "docs/start/telegrams.md"
ACCOUNT = b"110200300400    "
ROWS = [
    b"20260131101112%06dI0000000100000+0000000001500" % number + "급여".encode("euc-kr") + b" " * 6
    for number in range(5)
]


def read_files():
    """Returns the files of the page by path."""
    blocks = re.findall(r"```yaml\n# (config/\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(blocks)


class NaraeCore(socketserver.BaseRequestHandler):
    """A core that is written from the specification: it counts bytes and knows nothing of layouts."""

    def handle(self):
        while True:
            head = self.request.recv(4, 0x100)
            if len(head) < 4:
                return
            self.answer(head + self.request.recv(int(head) - 4, 0x100))

    def answer(self, data):
        kind, code, middle = data[4:8], data[8:14], data[14:36]
        if kind == b"0800":
            self.send(b"0810" + code + middle + b"00" + b" " * 26 + data[64:67])
        elif data[152:168] != ACCOUNT:
            self.send(b"0210" + code + middle + b"14" + b" " * 26)
        elif code == b"INQ003":
            body = ACCOUNT + b"KRW" + b"-0000000001500" + b"+0000000000000" + b"0325000"
            self.send(b"0210" + code + middle + b"00" + b" " * 26 + body)
        else:
            key = data[184:198]
            rows, more = (ROWS[:3], b"YKEY-0000000001") if key == b" " * 14 else (ROWS[3:], b"N" + b" " * 14)
            body = ACCOUNT + more + b"%03d" % len(rows) + b"".join(rows)
            self.send(b"0210" + code + middle + b"00" + b" " * 26 + body)

    def send(self, rest):
        self.request.sendall(b"%04d" % (len(rest) + 4) + rest)


@pytest.fixture
def narae():
    """The port of a running core."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NaraeCore) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def bank(folder, narae):
    """Settings with the files of the page; returns the path of relay.yaml."""
    for name, text in read_files().items():
        folder.write(name.removeprefix("config/"), text.replace("127.0.0.1:7000", f"127.0.0.1:{narae}"))
    return folder.path


def test_the_page_has_all_files():
    folder = "config/providers/narae-savings-bank"
    assert set(read_files()) == {
        f"{folder}.yaml",
        *(f"{folder}/telegrams/{name}.yaml" for name in ("link", "BA03", "BA04")),
    }


def test_the_files_of_the_page_are_valid(run, bank):
    answer = run("show", "ZBAC000003", "-c", bank)
    assert (answer.exit_code, "header: 64 bytes" in answer.output) == (0, True)


def test_both_apis_answer_over_a_line(run, bank):
    answer = run("try", "ZBAC000003", "BA03", "account_num=110200300400", "-c", bank)
    assert (answer.exit_code, '"detail_cnt": "1"' in answer.output) == (0, True)
    values = ["account_num=110200300400", "from_date=20260101", "to_date=20260131", "limit=2", "--pages", "3", "--json"]
    answer = run("try", "ZBAC000003", "BA04", *values, "-c", bank)
    pages = json.loads(answer.stdout)["pages"]
    assert [page["answer"]["body"]["trans_cnt"] for page in pages] == ["2", "2", "1"]


def test_an_unknown_account_ends_with_40402(run, bank):
    answer = run("try", "ZBAC000003", "BA03", "account_num=1", "-c", bank)
    assert (answer.exit_code, "answer: 404, rsp_code 40402 (core 14)" in answer.output) == (1, True)


def test_saved_telegrams_pass_the_test(run, bank, folder):
    golden = folder.root / "providers/narae-savings-bank/telegrams/golden"
    golden.mkdir()
    file = golden / "BA04.first-page.telegram"
    values = ["account_num=110200300400", "from_date=20260101", "to_date=20260131", "limit=20"]
    assert run("try", "ZBAC000003", "BA04", *values, "--save", file, "-c", bank).exit_code == 0
    assert run("test", "ZBAC000003", "--write", "-c", bank).exit_code == 0
    expectation = file.with_suffix(".json")
    assert json.loads(expectation.read_text())["answer"]["trans_cnt"] == "5"
    expectation.write_text(expectation.read_text().replace('"1500"', '"150"', 1))
    output = run("test", "ZBAC000003", "-c", bank).output
    line = 'telegram 2: offset 132: 거래내역[0].잔액: expected "150", is "1500"'
    assert line in output
    assert line in PAGE.read_text()


def test_a_capture_is_drafted_with_its_framing(run, bank, folder, tmp_path):
    file = tmp_path / "captured.bin"
    run("try", "ZBAC000003", "BA03", "account_num=110200300400", "--save", file, "-c", bank)
    assert run("record", file, "--header", "64", "-o", tmp_path / "drafts").exit_code == 0
    link = yaml.safe_load((tmp_path / "drafts/link.yaml").read_text())
    assert link["framing"] == {"length": 4, "counts": "all"}
    assert "msg_type n(4) = $kind" in link["header"]
