// The doorbell's protocol machine: frames and a clock, no socket.
#include "sync/plan/realtime.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace conductor;
using namespace conductor::sync;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Line {
    RealtimeMachine machine{7};
    Instant now{1000s};
    RealtimeMachine::Todo last;
    std::vector<json> sent;

    Line() { take(machine.connected(now, {"gw-box:b", "gw-pool:p"}, "t1")); }
    const RealtimeMachine::Todo& take(RealtimeMachine::Todo todo) {
        last = std::move(todo);
        sent.clear();
        for (const auto& frame : last.frames) sent.push_back(json::parse(frame));
        return last;
    }
    const RealtimeMachine::Todo& hear(const json& frame) { return take(machine.text(now, frame.dump())); }
    const RealtimeMachine::Todo& at(std::chrono::milliseconds later) {
        now += later;
        return take(machine.tick(now));
    }
    const RealtimeMachine::Todo& answer(const json& join, const json& payload) {
        return hear(json::array({join[0], join[1], join[2], "phx_reply", payload}));
    }
    /// Both channels; the joins' refs.
    std::vector<std::string> join_all() {
        const auto joins = sent;
        std::vector<std::string> refs;
        for (const auto& join : joins) {
            CHECK(answer(join, {{"status", "ok"}, {"response", json::object()}}).ring);
            refs.push_back(join[1]);
        }
        CHECK(machine.joined());
        return refs;
    }
};

std::string binary(std::string topic, std::string event = "doorbell", std::string meta = {}, std::string payload = "{}") {
    std::string out{'\4', static_cast<char>(topic.size()), static_cast<char>(event.size()), static_cast<char>(meta.size()), '\1'};
    return out + topic + event + meta + payload;
}

}  // namespace

TEST_CASE("realtime: joins private channels with the token, and fetches after each join and once more") {
    Line line;
    REQUIRE(line.sent.size() == 2);
    CHECK(line.sent[0][0] == line.sent[0][1]);
    CHECK(line.sent[0][2] == "realtime:gw-box:b");
    CHECK(line.sent[0][3] == "phx_join");
    CHECK(line.sent[0][4]["access_token"] == "t1");
    CHECK(line.sent[0][4]["config"]["private"] == true);
    CHECK(line.sent[0][1] != line.sent[1][1]);
    CHECK_FALSE(line.machine.joined());
    line.join_all();
    CHECK(line.machine.next_tick() == line.now + 5s);
    CHECK(line.at(5s).ring);
    CHECK_FALSE(line.at(1s).ring);
}

TEST_CASE("realtime: what rings and what does not") {
    Line line;
    const auto refs = line.join_all();
    struct Row {
        const char* name;
        json frame;
        bool ring;
    };
    const std::string topic = "realtime:gw-pool:p";
    const Row rows[] = {{"a broadcast", {nullptr, nullptr, topic, "broadcast", {{"event", "doorbell"}}}, true},
                        {"with its join", {refs[1], nullptr, topic, "broadcast", json::object()}, true},
                        {"of a join before", {"0", nullptr, topic, "broadcast", json::object()}, false},
                        {"of another topic", {nullptr, nullptr, "realtime:gw-pool:q", "broadcast", json::object()}, false},
                        {"replication stands", {refs[1], nullptr, topic, "system", {{"status", "ok"}}}, true},
                        {"presence", {refs[1], nullptr, topic, "presence_state", json::object()}, false},
                        {"an event of the future", {refs[1], nullptr, topic, "new_thing", 7}, false},
                        {"a second answer to the join", {refs[1], refs[1], topic, "phx_reply", {{"status", "ok"}}}, false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(line.hear(row.frame).ring == row.ring);
        CHECK(line.machine.joined());
    }
    CHECK(line.take(line.machine.binary(line.now, binary(topic))).ring);
    CHECK(line.take(line.machine.binary(line.now, binary(topic, "other", R"({"a":1})", ""))).ring);
    CHECK_FALSE(line.take(line.machine.binary(line.now, binary("realtime:gw-pool:q"))).ring);
    CHECK(line.machine.malformed() == 0);
}

TEST_CASE("realtime: frames that are none of the protocol change nothing") {
    Line line;
    const auto joins = line.sent;
    for (const char* bad : {"", "null", "7", "[", "[]", "[1,2,3,4]", "{}", R"([null,null,7,"phx_reply",{}])", R"([null,null,"t",7,{}])",
                            R"(["1","1","realtime:gw-box:b","phx_reply"])", "\xff\xfe"})
        CHECK_FALSE(line.take(line.machine.text(line.now, bad)).ring);
    const std::string full = binary("realtime:gw-box:b", "doorbell", "m", "");
    std::uint64_t cut = 0;
    for (std::size_t n = 0; n < full.size(); ++n, ++cut) CHECK_FALSE(line.take(line.machine.binary(line.now, full.substr(0, n))).ring);
    CHECK(line.machine.malformed() == 11 + cut);
    // of the right form, with a content that is not
    line.hear({joins[0][0], joins[0][1], joins[0][2], "phx_reply", nullptr});
    line.hear({joins[1][0], joins[1][1], joins[1][2], "phx_reply", {{"status", 1}, {"response", {{"reason", 2}}}}});
    CHECK_FALSE(line.machine.joined());
    line.at(60s);  // both are asked again after a while
    CHECK(line.sent.size() >= 2);
}

TEST_CASE("realtime: a heartbeat that is not answered ends the connection") {
    Line line;
    line.join_all();
    line.at(25s);
    REQUIRE(line.sent.size() == 1);
    CHECK(line.sent[0] == json::array({nullptr, line.sent[0][1], "phoenix", "heartbeat", json::object()}));
    const auto ref = line.sent[0][1];
    CHECK_FALSE(line.at(24s).dead);
    SUBCASE("answered") {
        line.hear({nullptr, ref, "phoenix", "phx_reply", {{"status", "ok"}}});
        CHECK_FALSE(line.at(1s).dead);
        CHECK(line.sent.size() == 1);
    }
    SUBCASE("an answer to another one") {
        line.hear({nullptr, "999", "phoenix", "phx_reply", {{"status", "ok"}}});
        CHECK(line.at(1s).dead);
    }
    SUBCASE("no answer") {
        CHECK(line.at(1s).dead);
    }
}

TEST_CASE("realtime: a channel that ends is joined again, and fetches again") {
    for (const char* end : {"phx_close", "phx_error"}) {
        CAPTURE(end);
        Line line;
        const auto refs = line.join_all();
        line.hear({refs[1], refs[1], "realtime:gw-pool:p", end, json::object()});
        CHECK_FALSE(line.machine.joined());
        CHECK(line.sent.empty());
        line.at(1s);
        REQUIRE(line.sent.size() == 1);
        CHECK(line.sent[0][2] == "realtime:gw-pool:p");
        CHECK(line.sent[0][1] != refs[1]);
        CHECK(line.answer(line.sent[0], {{"status", "ok"}}).ring);
        CHECK(line.machine.joined());
    }
}

TEST_CASE("realtime: a channel that joins and ends at once is joined ever more slowly, and does not fetch each time") {
    Line line;
    line.join_all();
    line.at(5s);
    const std::string topic = "realtime:gw-box:b";
    const auto pass = [&] {  // to the next thing the machine wants
        bool rang = line.at(std::chrono::ceil<std::chrono::milliseconds>(line.machine.next_tick() - line.now)).ring;
        const auto frames = line.sent;
        json join;
        for (const auto& frame : frames) {
            if (frame[3] == "heartbeat") line.hear({nullptr, frame[1], "phoenix", "phx_reply", {{"status", "ok"}}});
            if (frame[3] != "phx_join") continue;
            join = frame;
            rang = line.answer(frame, {{"status", "ok"}}).ring || rang;
        }
        return std::pair{join, rang};
    };
    std::string ref;
    int joins = 0, rings = 0;
    const Instant end = line.now + 10min;
    line.hear({nullptr, nullptr, topic, "phx_close", json::object()});
    while (line.now < end) {
        const auto [join, rang] = pass();
        rings += rang;
        if (join.is_null()) continue;
        ++joins;
        ref = join[1];
        line.hear({ref, ref, topic, "phx_close", json::object()});
    }
    CHECK(joins > 60);
    CHECK(joins < 130);
    CHECK(rings <= 2);  // with the first, and once more
    while (!line.machine.joined()) pass();
    bool rang = false;
    for (const Instant until = line.now + 50s; line.now < until;) rang = pass().second || rang;
    CHECK(rang);  // it stayed
    line.hear({nullptr, nullptr, topic, "phx_close", json::object()});
    CHECK(line.machine.next_tick() <= line.now + 1s);
    CHECK(pass().second);
}

TEST_CASE("realtime: no answer to a join: asked again, ever more slowly") {
    Line line;
    std::vector<Instant> joins;
    for (const Instant end = line.now + 10min; line.now < end;) {
        const auto next = line.machine.next_tick();
        REQUIRE(next > line.now);
        line.now = next;
        line.take(line.machine.tick(line.now));
        for (const auto& frame : line.sent) {
            if (frame[3] == "heartbeat")
                line.hear({nullptr, frame[1], "phoenix", "phx_reply", json::object()});
            else if (frame[2] == "realtime:gw-box:b")
                joins.push_back(line.now);
        }
    }
    CHECK(joins.size() >= 600 / 20);
    CHECK(joins.size() <= 600 / 14);
}

TEST_CASE("realtime: why a join was refused") {
    struct Row {
        const char* reason;
        JoinRefusal want;
    };
    const Row rows[] = {{"InvalidJWTToken: Token has expired 12 seconds ago", JoinRefusal::token},
                        {"MalformedJWT: The token provided is not a valid JWT", JoinRefusal::token},
                        {"JwtSignatureError: Failed to validate JWT signature", JoinRefusal::token},
                        {"Unauthorized: You do not have permissions to read from this Channel topic: x", JoinRefusal::permanent},
                        {"PrivateOnly: This project only allows private channels", JoinRefusal::permanent},
                        {"RealtimeDisabledForConfiguration: off", JoinRefusal::permanent},
                        {"ClientJoinRateLimitReached: Too many joins per second", JoinRefusal::busy},
                        {"InitializingProjectConnection: starting", JoinRefusal::busy},
                        {"Unknown Error on Channel", JoinRefusal::busy},
                        {"", JoinRefusal::busy}};
    for (const Row& row : rows) {
        CAPTURE(row.reason);
        CHECK(judge_join(row.reason) == row.want);
    }
}

TEST_CASE("realtime: tokens") {
    Line line;
    SUBCASE("refused for it: a fresh one joins at once, the same one later") {
        const auto joins = line.sent;
        CHECK(line.answer(joins[0], {{"status", "error"}, {"response", {{"reason", "InvalidJWTToken: Token has expired"}}}}).fresh_token);
        CHECK(line.machine.refusal() == "InvalidJWTToken: Token has expired");
        SUBCASE("fresh") {
            line.take(line.machine.token(line.now, "t2"));
            REQUIRE(line.sent.size() == 1);
            CHECK(line.sent[0][3] == "phx_join");
            CHECK(line.sent[0][4]["access_token"] == "t2");
            const auto again = line.sent;
            line.answer(joins[1], {{"status", "ok"}});
            CHECK_FALSE(line.machine.refusal().empty());  // until all are joined
            line.answer(again[0], {{"status", "ok"}});
            CHECK(line.machine.refusal().empty());
        }
        SUBCASE("the same") {
            line.take(line.machine.token(line.now, "t1"));
            CHECK(line.sent.empty());
            line.answer(joins[1], {{"status", "ok"}});
            line.at(5s);
            line.at(46s);
            CHECK(std::ranges::any_of(line.sent, [](const auto& f) { return f[3] == "phx_join"; }));
        }
    }
    SUBCASE("every channel is told of a new one") {
        const auto refs = line.join_all();
        line.take(line.machine.token(line.now, "t2"));
        REQUIRE(line.sent.size() == 2);
        CHECK(line.sent[1][0] == refs[1]);
        CHECK(line.sent[1][3] == "access_token");
        CHECK(line.sent[1][4] == json{{"access_token", "t2"}});
        CHECK(line.take(line.machine.token(line.now, "t2")).frames.empty());
    }
    SUBCASE("it ended while joined: closed, and joined again with a fresh one") {
        const auto refs = line.join_all();
        const json why = {{"extension", "system"}, {"status", "error"}, {"message", "Token has expired 3 seconds ago"}};
        CHECK(line.hear({refs[0], nullptr, "realtime:gw-box:b", "system", why}).fresh_token);
        CHECK_FALSE(line.hear({refs[0], refs[0], "realtime:gw-box:b", "phx_close", json::object()}).dead);
        line.take(line.machine.token(line.now, "t2"));
        REQUIRE(line.sent.size() == 2);  // the join, and the other channel's token
        CHECK(line.sent[0][3] == "phx_join");
    }
}
