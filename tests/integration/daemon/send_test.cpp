// The main job through real modem protocol: messages go out in order and whole, reports and replies come back.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

TEST_CASE("integration: a schedule goes out through two modems, with reports") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2, .latency = 20ms, .report_delay = 100ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());

    const std::string three_parts = std::string(150, 'a') + std::string(150, 'b') + std::string(100, 'c');
    const std::string emoji = "Your table is ready \xF0\x9F\x8E\x89";
    std::map<std::string, std::string> texts;
    for (int n = 0; n < 16; ++n) texts[invented_number(n)] = "Hello no. " + std::to_string(n) + ", see you at 6 {or at 7?}";
    texts[invented_number(16)] = three_parts;
    texts[invented_number(17)] = emoji;
    for (const auto& [to, text] : texts) {
        const HttpAnswer answer = gateway.post("/v1/messages", {{"to", to}, {"text", text}});
        CAPTURE(answer.body);
        REQUIRE(answer.status == 202);
        CHECK(answer.json()["status"] == "queued");
    }
    const HttpAnswer bad = gateway.post("/v1/messages", {{"to", "not-a-number"}, {"text", "x"}});
    CHECK(bad.status == 422);
    CHECK(bad.json()["error"]["field"] == "to");

    CHECK_MESSAGE(gateway.settled(60s, texts.size(), {"delivered"}), describe(gateway));
    CHECK(gateway.messages().size() == texts.size());
    for (const json& message : gateway.messages()) {
        CAPTURE(message.dump());
        CHECK(message["content"] == texts[message["phone_number"]]);
        CHECK(message["delivery_status"] == "delivered");
        CHECK(message["retry_count"] == 0);
        CHECK(message["segments"] == (message["content"] == three_parts ? 3 : 1));
        CHECK(message["encoding"] == (message["content"] == emoji ? "ucs2" : "gsm7"));
        for (const json& part : message["parts"]) CHECK(part["status"] == "delivered");
    }
    // What the network holds is what was asked for, and both modems took their share.
    std::map<std::string, std::string> taken;
    std::map<int, int> by_modem;
    for (const json& submission : sim.submissions()) {
        taken[submission["to"]] += submission["text"].get<std::string>();
        ++by_modem[submission["modem"].get<int>()];
    }
    CHECK(taken == texts);
    CHECK(by_modem.size() == 2);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("integration: a known key is the same message") {
    const TempDir folder;
    const Sim sim{folder / "sim", {}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    const json body = {{"to", invented_number(1)}, {"text", "once"}, {"key", "order-17"}};
    const HttpAnswer first = gateway.post("/v1/messages", body), again = gateway.post("/v1/messages", body);
    CHECK(first.status == 202);
    CHECK(again.status == 200);
    CHECK(first.json()["id"] == again.json()["id"]);
    json other = body;
    other["text"] = "twice";
    CHECK(gateway.post("/v1/messages", other).status == 409);
    for (const char* own : {"supabase-17-1", "answer-17"}) {
        other["key"] = own;
        const auto refused = gateway.post("/v1/messages", other);
        CHECK(refused.status == 422);
        CHECK(refused.json()["error"]["code"] == "reserved-key");
    }
    CHECK_MESSAGE(gateway.settled(20s, 1, {"delivered"}), describe(gateway));
    CHECK(sim.copies() == std::map<std::string, int>{{invented_number(1), 1}});
}

TEST_CASE("integration: due in the future waits, a higher priority goes first") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.latency = 100ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    const std::string due = in_seconds(2);
    json batch = json::array();
    for (int n = 0; n < 10; ++n) batch.push_back({{"to", invented_number(n)}, {"text", "later"}, {"priority", n * 10}, {"due_at", due}});
    const HttpAnswer answer = gateway.post("/v1/messages/batch", batch);
    CAPTURE(answer.body);
    REQUIRE(answer.status == 200);
    CHECK(sim.submissions().empty());
    CHECK_MESSAGE(gateway.settled(30s, 10, {"delivered"}), describe(gateway));
    std::vector<std::string> order;
    for (const json& submission : sim.submissions()) {
        order.push_back(submission["to"]);
        CHECK(submission["time"].get<std::string>() >= due);
    }
    std::vector<std::string> want;
    for (int n = 9; n >= 0; --n) want.push_back(invented_number(n));
    CHECK(order == want);
}

TEST_CASE("integration: replies come in, whole and once, also those of many parts") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 2));
    const std::string longer = std::string(200, 'x') + " and the end";
    sim.inject(0, invented_number(1), "Yes please");
    sim.inject(1, invented_number(2), longer);
    sim.inject(0, invented_number(3), "Gern \xE2\x82\xAC \xF0\x9F\x98\x80");
    CHECK(eventually(20s, [&] { return gateway.messages("direction=inbound").size() == 3; }));
    std::map<std::string, std::string> got;
    for (const json& message : gateway.messages("direction=inbound")) {
        CHECK(message["status"] == "unread");
        got[message["phone_number"]] = message["content"];
    }
    CHECK(got == std::map<std::string, std::string>{{invented_number(1), "Yes please"},
                                                    {invented_number(2), longer},
                                                    {invented_number(3), "Gern \xE2\x82\xAC \xF0\x9F\x98\x80"}});
    const auto inbox = gateway.get("/v1/inbox?status=unread").json();
    CHECK(inbox["messages"].size() == 3);
}

TEST_CASE("integration: STOP is obeyed and confirmed, START lifts it") {
    const TempDir folder;
    const Sim sim{folder / "sim", {}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    const std::string number = invented_number(7);
    const auto sent_to = [&](std::string_view text) {
        const auto all = sim.submissions();
        return std::ranges::count_if(all, [&](const json& s) { return s["to"] == number && s["text"].get<std::string>().find(text) == 0; });
    };
    sim.inject(0, number, "Stop");
    CHECK_MESSAGE(eventually(20s, [&] { return sent_to("Example Shop: you are unsubscribed") == 1; }), describe(gateway));
    const HttpAnswer refused = gateway.post("/v1/messages", {{"to", number}, {"text", "Sale!"}});
    CHECK(refused.status == 422);
    CHECK(refused.json()["error"]["code"] == "opted-out");
    sim.inject(0, number, "STOP");  // again: still one confirmation
    sim.inject(0, number, " start ");
    CHECK_MESSAGE(eventually(20s, [&] { return sent_to("Example Shop: you are subscribed again") == 1; }), describe(gateway));
    CHECK(gateway.post("/v1/messages", {{"to", number}, {"text", "Sale!"}}).status == 202);
    CHECK_MESSAGE(eventually(20s, [&] { return sent_to("Sale!") == 1; }), describe(gateway));
    CHECK(sent_to("Example Shop: you are unsubscribed") == 1);
}
