// conductorctl against the API's own server with a backend of values.
#include "tools/conductorctl/app.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "daemon/api/server.hpp"
#include "tests/unit/daemon/api/fake_backend.hpp"

using namespace conductor;
using nlohmann::json;

namespace {

struct TempDir {
    std::string path;
    TempDir() {
        char name[] = "/tmp/conductor-ctl-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~TempDir() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream{path + "/" + name, std::ios::binary} << text;
        return path + "/" + name;
    }
};

struct Outcome {
    int code = -1;
    std::string out, err;
    json document() const { return json::parse(out, nullptr, false); }
};

Outcome run_ctl(std::vector<std::string> args, const std::string& socket, const std::string& input = "") {
    std::istringstream in{input};
    std::ostringstream out, err;
    args.insert(args.begin(), {"--socket", socket});
    Outcome result;
    result.code = ctl::run(std::move(args), ctl::Io{in, out, err, false, false, from_ms(1'795'000'000'000)});
    result.out = out.str();
    result.err = err.str();
    return result;
}

/// A daemon on a thread of its own.
struct Daemon {
    TempDir dir;
    std::string socket = dir.path + "/control.sock";
    api::FakeBackend backend;
    boost::asio::io_context context{1};
    std::unique_ptr<api::Server> server;
    std::thread thread;

    Daemon() {
        api::ServerOptions options;
        options.socket = socket;
        server = std::make_unique<api::Server>(context.get_executor(), Log{}, backend, std::move(options));
        REQUIRE(server->listen().has_value());
        boost::asio::co_spawn(context, server->run(), [](std::exception_ptr) {});
        thread = std::thread{[this] { context.run(); }};
    }
    ~Daemon() {
        boost::asio::post(context, [this] { server->stop(); });
        thread.join();
    }
    Outcome ctl(std::vector<std::string> args) const { return run_ctl(std::move(args), socket); }
};

Message message_of(std::int64_t id, MessageStatus status, Direction direction = Direction::outbound) {
    Message m;
    m.id = MessageId{id};
    m.status = status;
    m.direction = direction;
    m.phone_number = "+15550100123";
    m.content = "hello";
    return m;
}

}  // namespace

TEST_CASE("conductorctl: exit codes") {
    Daemon daemon;
    daemon.backend.messages = {message_of(1, MessageStatus::queued), message_of(2, MessageStatus::sent)};
    struct Row {
        std::vector<std::string> args;
        int want;
    };
    const Row rows[] = {
        {{"status"}, 0},
        {{"send", "--to", "+15550100123", "--text", "x"}, 0},
        {{"queue", "list"}, 0},
        {{"queue", "show", "1"}, 0},
        {{"queue", "explain", "1"}, 0},
        {{"why", "1"}, 0},
        {{"queue", "cancel", "1"}, 0},
        {{"queue", "pause"}, 0},
        {{"queue", "resume"}, 0},
        {{"inbox", "list", "--status", "unread"}, 0},
        {{"inbox", "read", "1"}, 0},
        {{"modem", "list"}, 0},
        {{"modem", "show", "0"}, 0},
        {{"modem", "reset", "0"}, 0},
        {{"modem", "at", "0", "AT+CSQ"}, 0},
        {{"modem", "discover"}, 0},
        {{"modem", "probe", "/dev/ttyUSB2"}, 0},
        {{"modem", "probe", "/dev/ttyUSB7"}, 4},
        {{"modem", "probe"}, 2},
        {{"modem", "ussd", "0", "*100#"}, 0},
        {{"modem", "at", "0", ""}, 2},
        {{"modem", "at", "0", "AT+CSQ\rAT"}, 2},
        {{"modem", "ussd", "0", ""}, 2},
        {{"modem", "ussd", "0", "*100\x1b#"}, 2},
        {{"modem", "probe", ""}, 2},
        {{"doctor", "--config", "/tmp"}, 2},
        {{"config", "check", "--config", "/tmp"}, 2},
        {{"config", "show", "--config", "/tmp"}, 2},
        {{"db", "check", "--config", "/tmp"}, 2},
        {{"modem", "discover", "--config", "/tmp"}, 2},
        {{"modem", "trace", "0"}, 0},
        {{"opt-out", "list"}, 0},
        {{"opt-out", "add", "+15550100123"}, 0},
        {{"opt-out", "remove", "+15550100123"}, 0},
        {{"sync", "now"}, 0},
        {{"--help"}, 0},
        {{"queue", "--help"}, 0},
        {{"--version"}, 0},
        {{"send", "--to", "full", "--text", "x"}, 1},
        {{}, 2},
        {{"frobnicate"}, 2},
        {{"queue"}, 2},
        {{"send"}, 2},
        {{"send", "--to", "1"}, 2},
        {{"send", "--to", "1", "--text", "x", "--class", "spam"}, 2},
        {{"send", "--to", "1", "--text", "x", "--at", "tomorrow"}, 2},
        {{"send", "--to", "1", "--text", "x", "--priority", "101"}, 2},
        {{"send", "--file", "/nonexistent.csv"}, 2},
        {{"why", "abc"}, 2},
        {{"why"}, 2},
        {{"queue", "list", "--limit", "0"}, 2},
        {{"queue", "show", "99"}, 4},
        {{"why", "99"}, 4},
        {{"modem", "show", "7"}, 4},
        {{"modem", "reset", "7"}, 4},
        {{"config", "check", "--config", "/nonexistent"}, 4},
        {{"queue", "cancel", "2"}, 5},
        {{"send", "--to", "bad", "--text", "x"}, 5},
        {{"sync", "status"}, 5},
    };
    for (const Row& row : rows) {
        std::string line;
        for (const auto& arg : row.args) line += arg + ' ';
        CAPTURE(line);
        const Outcome plain = daemon.ctl(row.args);
        CHECK(plain.code == row.want);
        const bool preview = plain.err == "1 segment of gsm7\n";  // what a text becomes is told on stderr
        CHECK((plain.code == 0) == (plain.err.empty() || preview));
        if (row.want == 2 || line.find("--help") != line.npos || line.find("--version") != line.npos) continue;
        for (const bool before : {true, false}) {
            auto args = row.args;
            args.insert(before ? args.begin() : args.end(), "--json");
            const Outcome outcome = daemon.ctl(args);
            CHECK(outcome.code == row.want);
            REQUIRE_FALSE(outcome.document().is_discarded());
            CHECK(outcome.document().contains("error") == (row.want != 0));
        }
    }
}

TEST_CASE("conductorctl modem at: a command that the modem refused has failed, in both forms") {
    const Daemon daemon;
    const Outcome plain = daemon.ctl({"modem", "at", "0", "AT+EXAMPLE"});
    CHECK(plain.code == 1);
    CHECK(plain.out == "ERROR\n");
    const Outcome as_json = daemon.ctl({"modem", "at", "0", "AT+EXAMPLE", "--json"});
    CHECK(as_json.code == 1);
    CHECK(as_json.document()["result"] == "ERROR");
}

TEST_CASE("conductorctl: no daemon is exit 3, and says what to do") {
    const TempDir dir;
    const Outcome plain = run_ctl({"status"}, dir.path + "/none.sock");
    CHECK(plain.code == 3);
    CHECK(plain.out.empty());
    CHECK(plain.err.find("is conductord running?") != plain.err.npos);
    const Outcome as_json = run_ctl({"status", "--json"}, dir.path + "/none.sock");
    CHECK(as_json.code == 3);
    CHECK(as_json.document()["error"]["code"] == "unreachable");
    const std::string file = dir.write("a.csv", "to,text\n1,x\n");
    CHECK(run_ctl({"send", "--file", file}, dir.path + "/none.sock").code == 3);
}

TEST_CASE("conductorctl send: every option becomes its field") {
    Daemon daemon;
    const Outcome sent = daemon.ctl(
        {"send",           "--to",  "+15550100123", "--text", "[BUBBLE] -x",   "--key", "k",        "--at",    "2026-11-21T10:00:00-08:00",
         "--class",        "reply", "--priority",   "70.5",   "--modem",       "1",     "--report", "--flash", "--consent",
         "--expire-after", "2h",    "--on-unknown", "resend", "--in-reply-to", "9"});
    REQUIRE(sent.code == 0);
    const NewMessage& m = *daemon.backend.last;
    CHECK(m.text == "[BUBBLE] -x");
    CHECK(m.key == "k");
    CHECK(to_rfc3339(*m.due_at) == "2026-11-21T18:00:00.000Z");
    CHECK(m.message_class == MessageClass::reply);
    CHECK(m.priority == 70.5);
    CHECK(m.modem_index == 1);
    CHECK(m.report == true);
    CHECK(m.flash);
    CHECK(m.consent);
    CHECK(m.expire_after == std::chrono::hours{2});
    CHECK(m.on_unknown == OnUnknown::resend);
    CHECK(m.in_reply_to == MessageId{9});
    CHECK(sent.out == "message 1: queued to +15550100123, 1 part\n");

    daemon.ctl({"send", "--to", "1", "--text", "-dash"});
    CHECK(daemon.backend.last->text == "-dash");
    CHECK(daemon.backend.last->message_class == MessageClass::transactional);  // a technician's test is no marketing
    CHECK_FALSE(daemon.backend.last->report);
}

TEST_CASE("conductorctl send --file: rows, refusals by line, and the totals") {
    Daemon daemon;
    const TempDir dir;
    const std::string csv =
        "\xEF\xBB\xBFTO,key,Text,report,priority\r\n"
        "+15550100101,a,\"Hi, \"\"you\"\"\nthere\",yes,\r\n"
        "bad,b,x,,\r\n"
        "\r\n"
        "+15550100102,c,y,maybe,\r\n"
        "+15550100103,d,z\r\n"
        "+15550100104,e,w,no,50\r\n";
    const std::string file = dir.write("rows.csv", csv);
    const Outcome plain = daemon.ctl({"send", "--file", file});
    CHECK(plain.code == 5);
    CHECK(plain.out == "2 taken, 3 refused\n");
    CHECK(plain.err.find("line 4: to is no phone number\n") != plain.err.npos);
    CHECK(plain.err.find("line 6: report must be yes or no\n") != plain.err.npos);
    CHECK(plain.err.find("line 7: has 3 fields, the header has 5\n") != plain.err.npos);
    REQUIRE(daemon.backend.messages.size() == 2);
    CHECK(daemon.backend.messages[0].content == "Hi, \"you\"\nthere");
    CHECK(daemon.backend.last->message_class == MessageClass::transactional);

    const Outcome again = daemon.ctl({"send", "--file", file, "--json"});
    CHECK(again.code == 5);
    const json document = again.document();
    CHECK(document["accepted"] == 0);
    CHECK(document["known"] == 2);
    CHECK(document["refused"] == 3);
    REQUIRE(document["results"].size() == 5);
    CHECK(daemon.backend.messages.size() == 2);

    const std::string lines =
        dir.write("rows.ndjson", "{\"to\":\"1\",\"text\":\"n\",\"class\":\"marketing\"}\n\nnonsense\n{\"to\":\"2\",\"text\":\"m\"}");
    const Outcome ndjson = daemon.ctl({"send", "--file", lines});
    CHECK(ndjson.out == "2 taken, 1 refused\n");
    CHECK(ndjson.err == "line 3: is no JSON object\n");
}

TEST_CASE("conductorctl send --file: more rows than one call takes") {
    Daemon daemon;
    const TempDir dir;
    std::string csv = "to,text\n";
    for (int i = 0; i < 2500; ++i) csv += "+15550100100,text " + std::to_string(i) + "\n";
    const Outcome outcome = daemon.ctl({"send", "--file", dir.write("many.csv", csv)});
    CHECK(outcome.code == 0);
    CHECK(outcome.out == "2500 taken, 0 refused\n");
    CHECK(daemon.backend.messages.size() == 2500);
    CHECK(daemon.backend.messages.back().content == "text 2499");
}

TEST_CASE("conductorctl send --file: a file that is no list sends nothing") {
    Daemon daemon;
    const TempDir dir;
    struct Row {
        const char *name, *text, *want;
    };
    const Row rows[] = {
        {"a.csv", "", "line 1: the file is empty"},
        {"b.csv", "to,txt\n1,2\n", "line 1: column \"txt\" is not known"},
        {"c.csv", "to,key\n1,2\n", "line 1: the header has no column \"text\""},
        {"d.csv", "to,text,content\n1,2,3\n", "line 1: column \"text\" stands twice"},
        {"e.csv", "\"to\"x,text\n1,2\n", "line 1: a comma or the end of the line is expected"},
        {"f.txt", "to,text\n1,2\n", ".csv or .ndjson"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Outcome outcome = daemon.ctl({"send", "--file", dir.write(row.name, row.text)});
        CHECK(outcome.code == 2);
        CHECK(outcome.err.find(row.want) != outcome.err.npos);
    }
    CHECK(daemon.backend.messages.empty());
    const Outcome open_quote = daemon.ctl({"send", "--file", dir.write("g.csv", "to,text\n1,a\n2,\"b\n")});
    CHECK(open_quote.code == 2);
    CHECK(open_quote.err.find("line 3: a quoted field is not closed") != open_quote.err.npos);
    CHECK(open_quote.out == "1 taken, 0 refused\n");  // what stood before the damage is sent, and said to be
}

TEST_CASE("conductorctl: tables are aligned, and texts of strangers are harmless") {
    ::setenv("TZ", "America/Los_Angeles", 1);
    ::tzset();
    Daemon daemon;
    Message m = message_of(1, MessageStatus::unread, Direction::inbound);
    m.content = "a\x1b[31mb\nc\xC2\x9B";
    m.timestamp = *parse_rfc3339("2026-11-21T18:00:00Z");
    daemon.backend.messages = {m};
    const Outcome list = daemon.ctl({"inbox", "list"});
    CHECK(list.out ==
          "ID  STATUS  FROM          RECEIVED                 MODEM  TEXT\n"
          "1   unread  +15550100123  2026-11-21 10:00:00 PST  -      a·[31mb⏎c·\n");
    CHECK(daemon.ctl({"inbox", "list", "--json"}).document()["messages"][0]["content"] == m.content);
    Message blocked = message_of(2, MessageStatus::queued);
    blocked.reason = "quiet-hours";
    blocked.reason_text = "It waits for 09:00.";
    daemon.backend.messages = {blocked};
    const Outcome why = daemon.ctl({"why", "2"});
    CHECK(why.out.find("outbound message 2: queued\n") == 0);
    CHECK(why.out.find("quiet-hours") != why.out.npos);
    CHECK(why.out.find("It waits for 09:00.") != why.out.npos);
}

TEST_CASE("conductorctl config: needs no daemon") {
    const TempDir dir;
    const std::string good = dir.write("good.toml", "[gateway]\nid = \"box-1\"\n");
    const std::string bad = dir.write("bad.toml", "[gateway]\nid = \"box-1\"\nqueue_limt = 5\n");
    CHECK(run_ctl({"config", "check", "--config", good}, "/nonexistent").code == 0);
    const Outcome checked = run_ctl({"config", "check", "--config", bad}, "/nonexistent");
    CHECK(checked.code == 1);
    CHECK(checked.out.find("bad.toml:3") != checked.out.npos);
    const Outcome as_json = run_ctl({"config", "check", "--config", bad, "--json"}, "/nonexistent");
    CHECK(as_json.document()["problems"][0]["line"] == 3);
    CHECK(as_json.document()["ok"] == false);
    CHECK(run_ctl({"config", "show", "--config", good}, "/nonexistent").document().is_object());
}

TEST_CASE("conductorctl pdu: through the command line") {
    const Outcome encoded = run_ctl({"pdu", "encode", "--to", "+15550100123", "--text", "hi", "--json"}, "/nonexistent");
    CHECK(encoded.code == 0);
    const std::string hex = encoded.document()["pdus"][0]["hex"];
    CHECK(run_ctl({"pdu", "decode", hex, "--direction", "mo", "--json"}, "/nonexistent").document()["text"] == "hi");
    const Outcome lines = run_ctl({"pdu", "decode", "-"}, "/nonexistent", hex + "\n");
    CHECK(json::parse(lines.out)["text"] == "hi");
    CHECK(run_ctl({"pdu", "decode", "00"}, "/nonexistent").code == 1);
    CHECK(run_ctl({"pdu", "decode", "00", "--direction", "up"}, "/nonexistent").code == 2);
}

TEST_CASE("what a person writes as a time") {
    ::setenv("TZ", "America/Los_Angeles", 1);
    ::tzset();
    const WallTime now = *parse_rfc3339("2026-11-21T18:00:00Z");  // 10:00 PST
    struct Row {
        const char *written, *want;  ///< want "": no time
    };
    const Row rows[] = {
        {"2026-11-21T18:30:00Z", "2026-11-21T18:30:00.000Z"},
        {"2026-11-21 10:30", "2026-11-21T18:30:00.000Z"},
        {"2026-07-01 10:30:05", "2026-07-01T17:30:05.000Z"},
        {"10:30", "2026-11-21T18:30:00.000Z"},
        {"09:30", "2026-11-22T17:30:00.000Z"},
        {"+10m", "2026-11-21T18:10:00.000Z"},
        {"25:00", ""},
        {"2026-02-30 10:00", ""},
        {"10", ""},
        {"", ""},
        {"+", ""},
        {"2026-11-21", ""},
        {"10:61", ""},
        {"-1:30", ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.written);
        const auto got = ctl::parse_time(row.written, now);
        CHECK((got ? to_rfc3339(*got) : "") == row.want);
    }
}

TEST_CASE("conductorctl doctor: one document, and 1 when a check fails") {
    Daemon daemon;
    const Outcome found = daemon.ctl({"--json", "doctor", "--config", daemon.dir.path + "/none.toml"});
    CHECK(found.code == 1);
    const json body = found.document();
    CHECK(body["ok"] == false);
    REQUIRE(!body["checks"].empty());
    for (const char* member : {"check", "result", "cause", "evidence", "remedy"}) CHECK(body["checks"][0][member].is_string());
    CHECK(body["checks"][0]["check"] == "config");
    CHECK(body["checks"][0]["result"] == "fail");
    const Outcome shown = daemon.ctl({"doctor", "--config", daemon.dir.path + "/none.toml"});
    CHECK(shown.code == 1);
    CHECK(shown.out.find("remedy:") != std::string::npos);
}
