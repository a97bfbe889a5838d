#include "sync/plan/wire.hpp"

#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>

using namespace conductor;
using namespace conductor::sync;
using nlohmann::json;

namespace {

const char* const one_job =
    R"({"id":7,"epoch":3,"revision":2,"status":"claimed","phone_number":"+15550100123","content":"hi \u00e9","class":"transactional",
        "priority":71.50,"send_at":"2026-11-21T18:00:00+00:00","expires_at":null,"lease_expires_at":"2026-11-22T10:00:00.5-08:00",
        "offline_ok":true,"on_unknown":"resend","campaign_name":"winback","cancel_requested":false,"consent":true,"opted_out":false,
        "something_new":[1]})";

std::string claim_of(const std::string& job) {
    return R"({"fenced":false,"alone":true,"server_now":"2026-11-21T17:59:59.25Z","later":1,"jobs":[)" + job + "]}";
}

/// `job` with one key replaced by `value`, or removed when that is empty.
std::string changed(const char* key, std::string_view value) {
    json job = json::parse(one_job);
    if (value.empty())
        job.erase(key);
    else
        job[key] = json::parse(value);
    return job.dump();
}

}  // namespace

TEST_CASE("requests: one argument p, and only what is known") {
    CHECK(json::parse(hello_request({"i", "0.1", 1})) == json::parse(R"({"p":{"instance":"i","version":"0.1","protocol":1}})"));
    CHECK(json::parse(hello_request({"i", "0.1", 1, "w3", {"w1", "w2"}})) ==
          json::parse(R"({"p":{"instance":"i","version":"0.1","protocol":1,"word":"w3","words":["w1","w2"]}})"));
    ClaimRequest claim;
    claim.request_id = "r";
    CHECK(json::parse(claim_request(claim, "")) == json::parse(R"({"p":{"request_id":"r","limit":20}})"));
    claim.horizon = std::chrono::seconds{300};
    claim.lease = std::chrono::minutes{10};
    CHECK(json::parse(claim_request(claim, "i")) ==
          json::parse(R"({"p":{"instance":"i","request_id":"r","limit":20,"horizon_s":300,"lease_s":600}})"));
    CHECK(json::parse(mine_request(5, "i")) == json::parse(R"({"p":{"instance":"i","after":5}})"));
    const std::vector<std::string> gone = {"h"};
    CHECK(json::parse(mine_request(0, "i", gone)) == json::parse(R"({"p":{"instance":"i","after":0,"adopt":["h"]}})"));
    const std::vector<BeginItem> jobs = {{1, 2, 3}, {4, 5, 6, "+15550100123"}};
    CHECK(
        json::parse(begin_request(jobs, "i")) ==
        json::parse(
            R"({"p":{"instance":"i","jobs":[{"id":1,"epoch":2,"revision":3},{"id":4,"epoch":5,"revision":6,"phone_number":"+15550100123"}]}})"));
    CHECK(json::parse(renew_request(jobs, std::chrono::seconds{60}, ""))["p"]["lease_s"] == 60);
    CHECK(json::parse(commands_request("")) == json::parse(R"({"p":{"limit":500}})"));
    const std::array<std::int64_t, 2> ids = {1, 2};
    CHECK(json::parse(acknowledge_request(ids)) == json::parse(R"({"p":{"ids":[1,2]}})"));
    CHECK(json::parse(acknowledge_request({})) == json::parse(R"({"p":{"ids":[]}})"));
}

TEST_CASE("items: cleaned, with their id, and bad ones are refused before they are sent") {
    const auto good = item_json(R"({"content":"a\u0000\ud800b","event_id":"forged"})", "event_id", "the-id");
    REQUIRE(good.has_value());
    CHECK(json::parse(*good) == json::parse(R"({"content":"a\ufffdb","event_id":"the-id"})"));
    for (const char* bad : {"", "no", "[1]", "\"text\"", "{\"a\":"}) {
        CAPTURE(bad);
        const auto got = item_json(bad, "event_id", "x");
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(SyncErrc::rejected));
    }
    const std::vector<std::string> two = {R"({"a":1})", R"({"b":2})"};
    CHECK(items_request(two) == R"({"p":{"items":[{"a":1},{"b":2}]}})");
    CHECK(items_request({}) == R"({"p":{"items":[]}})");
}

TEST_CASE("parse_claim: a row with every field") {
    const auto got = parse_claim(claim_of(one_job));
    REQUIRE(got.has_value());
    CHECK(got->alone);
    CHECK_FALSE(got->fenced);
    CHECK(to_rfc3339(got->server_now) == "2026-11-21T17:59:59.250Z");
    REQUIRE(got->jobs.size() == 1);
    const Job& job = got->jobs[0];
    CHECK(job.id == 7);
    CHECK(job.epoch == 3);
    CHECK(job.revision == 2);
    CHECK(job.phone_number == "+15550100123");
    CHECK(job.content == "hi \xC3\xA9");
    CHECK(job.message_class == MessageClass::transactional);
    CHECK(job.priority == 71.5);
    CHECK(to_rfc3339(job.send_at) == "2026-11-21T18:00:00.000Z");
    CHECK_FALSE(job.expires_at);
    CHECK(to_rfc3339(job.lease_expires_at) == "2026-11-22T18:00:00.500Z");
    CHECK(job.offline_ok);
    CHECK(job.on_unknown == OnUnknown::resend);
    CHECK(job.campaign_name == "winback");
    CHECK(job.consent);
    CHECK_FALSE(job.opted_out);
    CHECK_FALSE(job.begun);
    CHECK_FALSE(job.set);
    CHECK(job.customer == Customer{});
    CHECK_FALSE(job.instance.has_value());
    CHECK(parse_claim(claim_of(changed("instance", R"("i")")))->jobs[0].instance == "i");
    CHECK(parse_claim(claim_of(changed("set", R"("campaign-message-4")")))->jobs[0].set == "campaign-message-4");
    CHECK(parse_claim(claim_of(changed("state", R"("CA")")))->jobs[0].state == "CA");
    const Customer known{.last_visit = parse_rfc3339("2026-10-01T00:00:00Z").value(),
                         .cycle_days = 21.5,
                         .value_percentile = 0.9,
                         .visits = 12,
                         .sent = 4,
                         .replied = 1,
                         .sent_30_days = 2};
    const char* const customer = R"({"last_visit":"2026-10-01","cycle_days":21.5,"value_percentile":0.9,"visits":12,"tier":"gold",
        "prime_window":["2026-10-18","2026-10-27"],"sent":4,"replied":1,"sent_30_days":2})";
    CHECK(parse_claim(claim_of(changed("customer", customer)))->jobs[0].customer == known);
    // what only ranks is no reason to refuse a row
    for (const char* odd : {"null", "7", R"({"visits":"many","last_visit":"soon","value_percentile":90,"cycle_days":-1})"})
        CHECK(parse_claim(claim_of(changed("customer", odd)))->jobs[0].customer == Customer{});
    CHECK(parse_claim(claim_of(changed("status", R"("sending")")))->jobs[0].begun);
    CHECK_FALSE(parse_claim(claim_of(changed("on_unknown", "null")))->jobs[0].on_unknown);
    CHECK(parse_claim(R"({"jobs":[],"server_now":"2026-11-21T17:59:59Z","next":12})")->next == 12);
}

TEST_CASE("parse_claim: a row of which something is missing or of another kind is named, and left out") {
    struct Row {
        const char* key;
        std::string_view value;
        const char* where;
    };
    const Row rows[] = {{"id", "", "job.id"},
                        {"id", R"("7")", "job.id"},
                        {"epoch", "null", "job.epoch"},
                        {"phone_number", "5", "job.phone_number"},
                        {"content", "", "job.content"},
                        {"class", R"("spam")", "job.class"},
                        {"priority", R"("high")", "job.priority"},
                        {"send_at", R"("tomorrow")", "job.send_at"},
                        {"send_at", "", "job.send_at"},
                        {"lease_expires_at", "null", "job.lease_expires_at"},
                        {"expires_at", "17", "job.expires_at"},
                        {"on_unknown", R"("panic")", "job.on_unknown"},
                        {"offline_ok", "1", "job.offline_ok"}};
    for (const Row& row : rows) {
        CAPTURE(row.key);
        CAPTURE(row.value);
        const auto got = parse_claim(claim_of(changed(row.key, row.value)));
        REQUIRE(got.has_value());
        CHECK(got->jobs.empty());
        REQUIRE(got->unread.size() == 1);
        CHECK(got->unread[0].find(row.where) != std::string::npos);
    }
    // one that cannot be read holds up none of the others
    const auto mixed = parse_claim(claim_of(changed("expires_at", R"("10000-01-01T04:59:59+00:00")") + "," + one_job));
    REQUIRE(mixed.has_value());
    CHECK(mixed->jobs.size() == 1);
    CHECK(mixed->unread.size() == 1);
    for (const char* body :
         {"", "[]", "null", "<html>", R"({"jobs":{},"server_now":"2026-11-21T17:59:59Z"})", R"({"jobs":[]})", R"({"jobs":[3]})"}) {
        CAPTURE(body);
        REQUIRE_FALSE(parse_claim(body).has_value());
        CHECK(parse_claim(body).error().is(SyncErrc::bad_answer));
    }
}

TEST_CASE("the other answers") {
    const auto hello = parse_hello(
        R"({"gateway_id":"box-1","pool":"main","generation":"g","server_now":"2026-11-21T17:59:59Z","alone":false,"fenced":true,
            "protocol_min":1,"protocol_max":2})");
    REQUIRE(hello.has_value());
    CHECK(hello->gateway_id == "box-1");
    CHECK_FALSE(hello->alone);
    CHECK(hello->fenced);
    CHECK(hello->protocol_max == 2);
    CHECK_FALSE(parse_hello(R"({"gateway_id":"box-1"})").has_value());

    const auto begun = parse_begin(R"({"jobs":[{"id":1,"go":true,"reason":null},{"id":2,"go":false,"reason":"edited"}]})");
    REQUIRE(begun.has_value());
    CHECK((*begun)[0].go);
    CHECK((*begun)[0].reason.empty());
    CHECK_FALSE((*begun)[1].go);
    CHECK((*begun)[1].reason == "edited");
    CHECK_FALSE(parse_begin(R"({"jobs":[{"id":1}]})").has_value());  // silence is no "go"

    const auto renewed = parse_renew(
        R"({"server_now":"2026-11-21T17:59:59Z","jobs":[{"id":1,"held":true,"lease_expires_at":"2026-11-21T18:10:00Z","revision":2},
            {"id":2,"held":false,"reason":"lease","lease_expires_at":null}]})");
    REQUIRE(renewed.has_value());
    CHECK((*renewed)[0].held);
    CHECK((*renewed)[0].revision == 2);
    CHECK(to_rfc3339((*renewed)[0].server_now) == "2026-11-21T17:59:59.000Z");
    CHECK_FALSE((*renewed)[1].held);
    CHECK_FALSE(parse_renew(R"({"server_now":"2026-11-21T17:59:59Z","jobs":[{"id":1,"held":true}]})").has_value());

    const auto verdicts = parse_verdicts(
        R"({"verdicts":[{"id":"a","verdict":"applied","reason":null},{"id":"b","verdict":"rejected","reason":"23502 x"},{"id":null,"verdict":"stale_epoch"}]})");
    REQUIRE(verdicts.has_value());
    CHECK((*verdicts)[1].verdict == Verdict::rejected);
    CHECK((*verdicts)[1].reason == "23502 x");
    CHECK((*verdicts)[2].id.empty());
    CHECK_FALSE(parse_verdicts(R"({"verdicts":[{"id":"a","verdict":"maybe"}]})").has_value());

    const auto commands =
        parse_commands(R"({"fenced":false,"commands":[{"id":1,"kind":"cancel","job_id":7,"epoch":2,"payload":{"status":"cancelled"}},
                                             {"id":2,"kind":"pause","job_id":null,"epoch":null,"payload":{}}]})");
    REQUIRE(commands.has_value());
    CHECK(commands->commands[0].job_id == 7);
    CHECK(json::parse(commands->commands[0].payload)["status"] == "cancelled");
    CHECK_FALSE(commands->commands[1].job_id);

    const auto session = parse_session(R"({"access_token":"t","refresh_token":"r","expires_in":60,"user":{}})");
    REQUIRE(session.has_value());
    CHECK(session->access_token == "t");
    CHECK(session->refresh_token == "r");
    CHECK(session->expires_in == std::chrono::seconds{60});
    CHECK_FALSE(parse_session(R"({"msg":"no"})").has_value());
}

TEST_CASE("verdicts keep their words") {
    CHECK_FALSE(parse_verdict("maybe"));
}
