#include "daemon/api/routes.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <ostream>

#include "daemon/api/tokens.hpp"
#include "fake_backend.hpp"

using namespace conductor;
using namespace conductor::api;
using nlohmann::json;

namespace {

Response ask(Backend& backend, std::string method, std::string_view target, std::string body = {}) {
    Request request;
    request.method = std::move(method);
    REQUIRE(parse_target(target, request));
    request.actor.name = "uid:7";
    if (request.path == batch_path) {
        request.batch = std::make_unique<BatchReader>(10'000);
        request.batch->feed(body);
    } else {
        request.body = std::move(body);
    }
    boost::asio::io_context context;
    Response response;
    boost::asio::co_spawn(context, handle(backend, std::move(request)), [&](std::exception_ptr failure, Response r) {
        REQUIRE_FALSE(failure);
        response = std::move(r);
    });
    context.run();
    return response;
}

json body_of(const Response& response) {
    return json::parse(response.body);
}

Message sent_message(std::int64_t id, MessageStatus status) {
    Message m;
    m.id = MessageId{id};
    m.status = status;
    return m;
}

}  // namespace

TEST_CASE("POST /v1/messages: every field arrives, and only then") {
    FakeBackend backend;
    const auto r = ask(backend, "POST", "/v1/messages",
                       R"({"to":"+1 555 010 0123","text":"hi","key":"k1","class":"reply","in_reply_to":9,"consent":true,
                           "due_at":"2026-11-21T10:00:00-08:00","expire_after":"2h","on_unknown":"resend","priority":71.5,
                           "modem_index":3,"report":false,"flash":true})");
    CHECK(r.status == 202);
    REQUIRE(backend.last);
    const NewMessage& m = *backend.last;
    CHECK(m.to == "+1 555 010 0123");
    CHECK(m.text == "hi");
    CHECK(m.key == "k1");
    CHECK(m.message_class == MessageClass::reply);
    CHECK(m.in_reply_to == MessageId{9});
    CHECK(m.consent);
    CHECK(to_rfc3339(*m.due_at) == "2026-11-21T18:00:00.000Z");
    CHECK(m.expire_after == std::chrono::hours{2});
    CHECK(m.on_unknown == OnUnknown::resend);
    CHECK(m.priority == 71.5);
    CHECK(m.modem_index == 3);
    CHECK(m.report == false);
    CHECK(m.flash);

    ask(backend, "POST", "/v1/messages", R"({"to":"1","text":"x","key":null,"expire_after":90})");
    CHECK_FALSE(backend.last->key);
    CHECK_FALSE(backend.last->report);
    CHECK_FALSE(backend.last->message_class);
    CHECK(backend.last->expire_after == std::chrono::seconds{90});
}

TEST_CASE("POST /v1/messages: what is refused, and the field it names") {
    struct Row {
        const char* body;
        int status;
        const char* code;
        const char* field;  ///< "" is null
    };
    const Row rows[] = {
        {"", 400, "bad-json", ""},
        {"{", 400, "bad-json", ""},
        {"[]", 400, "bad-json", ""},
        {"null", 400, "bad-json", ""},
        {R"({"to":"1","text":"x"} x)", 400, "bad-json", ""},
        {"{\"to\":\"1\",\"text\":\"\xFF\"}", 400, "bad-json", ""},
        {R"({"text":"x"})", 422, "missing-field", "to"},
        {R"({"to":"1"})", 422, "missing-field", "text"},
        {R"({"to":"1","text":null})", 422, "missing-field", "text"},
        {R"({"to":15550100123,"text":"x"})", 422, "wrong-type", "to"},
        {R"({"to":"1","text":{}})", 422, "wrong-type", "text"},
        {R"({"to":"1","text":"a\u0000b"})", 422, "bad-value", "text"},
        {R"({"to":"1","text":"x","txt":"y"})", 422, "unknown-field", "txt"},
        {R"({"to":"1","text":"x","key":""})", 422, "bad-value", "key"},
        {R"({"to":"1","text":"x","key":"a\nb"})", 422, "bad-value", "key"},
        {R"({"to":"1","text":"x","class":"spam"})", 422, "bad-value", "class"},
        {R"({"to":"1","text":"x","in_reply_to":0})", 422, "out-of-range", "in_reply_to"},
        {R"({"to":"1","text":"x","in_reply_to":18446744073709551615})", 422, "out-of-range", "in_reply_to"},
        {R"({"to":"1","text":"x","in_reply_to":1.5})", 422, "wrong-type", "in_reply_to"},
        {R"({"to":"1","text":"x","consent":1})", 422, "wrong-type", "consent"},
        {R"({"to":"1","text":"x","due_at":"2026-11-21 18:00"})", 422, "bad-time", "due_at"},
        {R"({"to":"1","text":"x","due_at":"2026-13-21T18:00:00Z"})", 422, "bad-time", "due_at"},
        {R"({"to":"1","text":"x","expire_after":"soon"})", 422, "bad-value", "expire_after"},
        {R"({"to":"1","text":"x","expire_after":"0s"})", 422, "out-of-range", "expire_after"},
        {R"({"to":"1","text":"x","expire_after":-5})", 422, "bad-value", "expire_after"},
        {R"({"to":"1","text":"x","on_unknown":"maybe"})", 422, "bad-value", "on_unknown"},
        {R"({"to":"1","text":"x","priority":101})", 422, "out-of-range", "priority"},
        {R"({"to":"1","text":"x","priority":"high"})", 422, "wrong-type", "priority"},
        {R"({"to":"1","text":"x","modem_index":-1})", 422, "out-of-range", "modem_index"},
        {R"({"to":"bad","text":"x"})", 422, "bad-number", "to"},
        {R"({"to":"full","text":"x"})", 503, "queue-full", ""},
    };
    FakeBackend backend;
    for (const Row& row : rows) {
        CAPTURE(row.body);
        const auto r = ask(backend, "POST", "/v1/messages", row.body);
        CHECK(r.status == row.status);
        const json error = body_of(r)["error"];
        CHECK(error["code"] == row.code);
        CHECK(error["field"] == (*row.field ? json(row.field) : json(nullptr)));
        CHECK(error["message"].get<std::string>().size() > 5);
    }
    CHECK(backend.messages.empty());
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    CHECK(ask(backend, "POST", "/v1/messages", R"({"to":)" + deep + "}").status == 400);
    CHECK(body_of(ask(backend, "POST", "/v1/messages", R"({"to":"1","text":"x","modem_idnex":0})"))["error"]["message"] ==
          "modem_idnex is not known; did you mean \"modem_index\"?");
}

TEST_CASE("POST /v1/messages: a known key, and one with other content") {
    FakeBackend backend;
    CHECK(ask(backend, "POST", "/v1/messages", R"({"to":"1","text":"x","key":"k"})").status == 202);
    const auto again = ask(backend, "POST", "/v1/messages", R"({"to":"1","text":"x","key":"k"})");
    CHECK(again.status == 200);
    CHECK(body_of(again)["id"] == 1);
    const auto other = ask(backend, "POST", "/v1/messages", R"({"to":"1","text":"y","key":"k"})");
    CHECK(other.status == 409);
    CHECK(body_of(other)["error"]["id"] == 1);
}

TEST_CASE("POST /v1/messages/preview: what a text becomes, and nothing is queued") {
    FakeBackend backend;
    const auto told = ask(backend, "POST", "/v1/messages/preview", R"({"text":"Hello"})");
    CHECK(told.status == 200);
    CHECK(body_of(told)["segments"] == 1);
    CHECK(body_of(told)["text"] == "Hello");
    const auto none = ask(backend, "POST", "/v1/messages/preview", "{}");
    CHECK(none.status == 422);
    CHECK(body_of(none)["error"]["field"] == "text");
    const auto unknown = ask(backend, "POST", "/v1/messages/preview", R"({"text":"Hello","to":"1"})");
    CHECK(unknown.status == 422);
    CHECK(body_of(unknown)["error"]["field"] == "to");
    CHECK(ask(backend, "GET", "/v1/messages/1").status == 404);
}

TEST_CASE("POST /v1/messages/batch: a result per row, in order, in groups") {
    FakeBackend backend;
    SUBCASE("NDJSON") {
        const auto r = ask(backend, "POST", batch_path,
                           "{\"to\":\"1\",\"text\":\"a\"}\n\n{\"to\":\"bad\",\"text\":\"b\"}\r\nnonsense\n{\"to\":\"2\",\"text\":\"c\"}");
        CHECK(r.status == 200);
        const json b = body_of(r);
        CHECK(b["accepted"] == 2);
        CHECK(b["refused"] == 2);
        REQUIRE(b["results"].size() == 4);
        CHECK(b["results"][0]["http"] == 202);
        CHECK(b["results"][0]["id"] == 1);
        CHECK(b["results"][1]["error"]["code"] == "bad-number");
        CHECK(b["results"][2]["http"] == 400);
        CHECK(b["results"][2]["row"] == 4);  // its line
        CHECK(b["results"][3]["id"] == 2);
    }
    SUBCASE("array, larger than a group") {
        json rows = json::array();
        for (int i = 0; i < 1201; ++i) rows.push_back({{"to", "1"}, {"text", "[" + std::to_string(i) + "], \"}"}});
        const json b = body_of(ask(backend, "POST", batch_path, rows.dump(2)));
        CHECK(b["accepted"] == 1201);
        CHECK(backend.groups == std::vector<std::size_t>{250, 250, 250, 250, 201});
        CHECK(backend.messages[1200].content == "[1200], \"}");
    }
    SUBCASE("refused whole") {
        struct Row {
            const char* name;
            std::string body;
            int want;
        };
        std::string many;
        for (int i = 0; i < 10'001; ++i) many += "{\"to\":\"1\",\"text\":\"a\"}\n";
        const Row rows[] = {{"nothing", "", 400},
                            {"spaces", " \n ", 400},
                            {"empty array", "[]", 400},
                            {"open array", "[{}", 400},
                            {"comma at the end", "[{},]", 400},
                            {"more behind", "[{}] {}", 400},
                            {"10,001 rows", many, 413}};
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(ask(backend, "POST", batch_path, row.body).status == row.want);
        }
        CHECK(backend.groups.empty());
    }
}

TEST_CASE("GET /v1/messages: parameters") {
    FakeBackend backend;
    for (int i = 1; i <= 3; ++i) backend.messages.push_back(sent_message(i, MessageStatus::sent));
    const auto r = ask(backend, "GET", "/v1/messages?status=sent&direction=outbound&to=+15550100123&after=9&limit=2");
    CHECK(r.status == 200);
    CHECK(body_of(r)["messages"][0]["id"] == 3);
    CHECK(body_of(r)["next"] == 2);
    CHECK(backend.last_query.status == MessageStatus::sent);
    CHECK(backend.last_query.direction == Direction::outbound);
    CHECK(backend.last_query.to == "+15550100123");
    CHECK(backend.last_query.after == MessageId{9});
    CHECK(backend.last_query.limit == 2);
    CHECK(body_of(ask(backend, "GET", "/v1/messages?status=&to=%2B1555"))["next"] == nullptr);
    CHECK(backend.last_query.to == "+1555");
    CHECK(backend.last_query.limit == 100);
    CHECK_FALSE(backend.last_query.status);
    for (const char* bad : {"status=odd", "direction=up", "after=x", "after=0", "limit=0", "limit=1001", "limit=1e3", "page=2"}) {
        CAPTURE(bad);
        CHECK(ask(backend, "GET", std::string{"/v1/messages?"} + bad).status == 422);
    }
    ask(backend, "GET", "/v1/inbox?status=unread&direction=outbound");
    CHECK(backend.last_query.direction == Direction::inbound);
}

TEST_CASE("routes: each reaches its service with its actor") {
    FakeBackend backend;
    backend.messages.push_back(sent_message(1, MessageStatus::queued));
    backend.messages.push_back(sent_message(2, MessageStatus::sent));
    struct Row {
        const char *method, *target, *body;
        int want;
        const char* call;  ///< the last call; "" none
    };
    const Row rows[] = {
        {"GET", "/v1/messages/1", "", 200, ""},
        {"GET", "/v1/messages/3", "", 404, ""},
        {"GET", "/v1/messages/x", "", 404, ""},
        {"GET", "/v1/messages/1/explain", "", 200, ""},
        {"GET", "/v1/messages/3/explain", "", 404, ""},
        {"POST", "/v1/messages/1/cancel", "", 200, "cancel 1 uid:7"},
        {"POST", "/v1/messages/2/cancel", "{}", 409, "cancel 2 uid:7"},
        {"POST", "/v1/messages/1/cancel", R"({"why":1})", 422, ""},
        {"POST", "/v1/messages/1/retry", "", 200, "retry 1 uid:7"},
        {"POST", "/v1/messages/1/read", "", 200, "read 1 uid:7"},
        {"POST", "/v1/messages/1/delete", "", 404, ""},
        {"PUT", "/v1/messages/1/cancel", "", 405, ""},
        {"POST", "/v1/queue/pause", "", 200, "pause uid:7"},
        {"POST", "/v1/queue/pause", R"({"campaign": "winback-nov"})", 200, "pause winback-nov uid:7"},
        {"POST", "/v1/queue/resume", R"({"campaign": "winback-nov"})", 200, "resume winback-nov uid:7"},
        {"POST", "/v1/queue/pause", R"({"campaign": ""})", 422, ""},
        {"POST", "/v1/queue/pause", R"({"campagn": "x"})", 422, ""},
        {"POST", "/v1/queue/resume", "", 200, "resume uid:7"},
        {"GET", "/v1/modems", "", 200, ""},
        {"GET", "/v1/modems/0", "", 200, ""},
        {"GET", "/v1/modems/5", "", 404, ""},
        {"GET", "/v1/modems/0/trace", "", 200, ""},
        {"POST", "/v1/modems/0/reset", "", 200, "action 0 reset uid:7"},
        {"POST", "/v1/modems/0/accept-sim", "", 200, "action 0 accept-sim uid:7"},
        {"POST", "/v1/modems/0/explode", "", 404, ""},
        {"POST", "/v1/modems/0/at", R"({"command":"AT+CSQ"})", 200, "at 0 +CSQ uid:7"},
        {"POST", "/v1/modems/0/at", R"({"command":"+CREG?"})", 200, "at 0 +CREG? uid:7"},
        {"POST", "/v1/modems/0/at", R"({"command":"+CSQ\rAT+CFUN=0"})", 422, ""},
        {"POST", "/v1/modems/0/at", "{}", 422, ""},
        {"POST", "/v1/modems/0/ussd", R"({"code":"*100#"})", 200, "ussd 0 *100# uid:7"},
        {"GET", "/v1/discovery", "", 200, "discovery look uid:7"},
        {"POST", "/v1/discovery", "", 200, "discovery ask uid:7"},
        {"POST", "/v1/discovery/probe", R"({"port":"/dev/ttyUSB2"})", 200, "probe /dev/ttyUSB2 uid:7"},
        {"POST", "/v1/discovery/probe", R"({"port":"/dev/ttyUSB7"})", 404, "probe /dev/ttyUSB7 uid:7"},
        {"POST", "/v1/discovery/probe", "{}", 422, ""},
        {"GET", "/v1/opt-outs", "", 200, ""},
        {"PUT", "/v1/opt-outs/+15550100123", "", 200, "opt-out +15550100123  uid:7"},
        {"PUT", "/v1/opt-outs/%2B15550100123", R"({"reason":"asked","actor":"ann"})", 200, "opt-out +15550100123 asked uid:7 for ann"},
        {"DELETE", "/v1/opt-outs/+15550100123", "", 200, "opt-in +15550100123  uid:7"},
        {"PUT", "/v1/opt-outs/+1", R"({"because":1})", 422, ""},
        {"PUT", "/v1/opt-outs/", "", 404, ""},
        {"GET", "/v1/consents/+15550100123", "", 200, ""},
        {"PUT", "/v1/consents/+1", R"({"class":"marketing"})", 200, R"(consent +1 {"class":"marketing"} uid:7)"},
        {"PUT", "/v1/consents/+1", "", 400, ""},
        {"GET", "/v1/status", "", 200, ""},
        {"GET", "/v1/sync", "", 409, ""},
        {"POST", "/v1/sync", "", 200, "sync uid:7"},
        {"GET", "/metrics", "", 200, ""},
        {"GET", "/v1", "", 404, ""},
        {"GET", "/v1/messages/", "", 404, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.method);
        CAPTURE(row.target);
        CAPTURE(row.body);
        backend.calls.clear();
        CHECK(ask(backend, row.method, row.target, row.body).status == row.want);
        CHECK((backend.calls.empty() ? "" : backend.calls.back()) == row.call);
    }
    CHECK(ask(backend, "GET", "/metrics").content_type.starts_with("text/plain"));
    CHECK(ask(backend, "GET", "/healthz").status == 200);
    backend.healthy = false;
    CHECK(ask(backend, "GET", "/healthz").status == 503);
}

TEST_CASE("POST /v1/inbox/claim") {
    FakeBackend backend;
    CHECK(ask(backend, "POST", "/v1/inbox/claim", R"({"limit":5,"owner":"bot","lease":"90s"})").status == 200);
    CHECK(backend.last_claim.limit == 5);
    CHECK(backend.last_claim.owner == "bot");
    CHECK(backend.last_claim.lease == std::chrono::seconds{90});
    for (const char* bad : {"{}", R"({"owner":""})", R"({"owner":"b","limit":0})", R"({"owner":"b","lease":"0s"})"}) {
        CAPTURE(bad);
        CHECK(ask(backend, "POST", "/v1/inbox/claim", bad).status == 422);
    }
}

TEST_CASE("message as JSON") {
    Message m = sent_message(17, MessageStatus::sent);
    m.content = "say \"hi\"\n\t\\ \xC3\xA9 \xF0\x9F\x98\x80 \xFF\xED\xA0\x80";
    m.cost = 0.02;
    m.priority = 71.5;
    m.modem_index = 0;
    m.due_at = parse_rfc3339("2026-11-21T18:00:00Z");
    m.delivery_status = DeliveryStatus::pending;
    Part part;
    part.status = PartStatus::sent;
    part.tp_mr = 41;
    part.modem_index = 0;
    part.attempts = 1;
    m.parts = {part};
    std::string text;
    append_json(text, m);
    CHECK(text.starts_with("{\"id\":17,\"key\":\"\",\"direction\":\"outbound\",\"class\":\"marketing\","));
    const json j = json::parse(text);
    CHECK(j == to_json(m));
    CHECK(j["content"] == "say \"hi\"\n\t\\ \xC3\xA9 \xF0\x9F\x98\x80 \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(j["cost"] == 0.02);
    CHECK(j["priority"] == 71.5);
    CHECK(j["due_at"] == "2026-11-21T18:00:00.000Z");
    CHECK(j["sent_at"] == nullptr);
    CHECK(j["parts"] == json::parse(R"([{"seq":1,"status":"sent","tp_mr":41,"modem_index":0,"attempts":1}])"));
    for (const char* name :
         {"phone_number", "encoding", "segments", "status", "delivery_status", "iccid", "retry_count", "next_attempt_at", "delivered_at",
          "timestamp", "modem_timestamp", "message_hash", "scheduled_message_id", "campaign_name", "reason", "reason_text"}) {
        CAPTURE(name);
        CHECK(j.contains(name));
    }
}

TEST_CASE("rows of a batch come out the same however the body is cut") {
    const std::string bodies[] = {"{\"a\":\"]}\\\"[,\"}\n {\"b\":[1,{\"c\":2}]}\r\n\r\n3",
                                  " [ {\"a\":\"]}\\\"[,\"} ,\n{\"b\":[1,{\"c\":2}]},3 ] \n"};
    for (const std::string& body : bodies) {
        CAPTURE(body);
        const auto rows_of = [&](std::size_t piece) {
            std::vector<json> rows;
            RowSplitter splitter{[&](std::string_view text, bool, std::size_t) { rows.push_back(json::parse(text)); }, 1000};
            for (std::size_t at = 0; at < body.size(); at += piece) splitter.feed(std::string_view{body}.substr(at, piece));
            CHECK_FALSE(splitter.finish());
            return rows;
        };
        const auto whole = rows_of(body.size());
        REQUIRE(whole.size() == 3);
        CHECK(whole[0]["a"] == "]}\"[,");
        for (const std::size_t piece : {1U, 2U, 3U, 7U}) CHECK(rows_of(piece) == whole);
    }
    bool told = false;
    RowSplitter splitter{[&](std::string_view text, bool too_long, std::size_t) { told = too_long && text.size() == 10; }, 10};
    splitter.feed("12345678901\n");
    CHECK(told);
}

TEST_CASE("batch: rows are counted as the lines of the file are") {
    for (const auto& [body, want] : {std::pair<std::string_view, std::vector<std::size_t>>{"{}\n\n{}\n  \n\n{}", {1, 3, 6}},
                                     {"\n\n{}\n{}\n", {3, 4}},
                                     {"\r\n{}\r\n\r\n{}\r\n", {2, 4}},
                                     {"\n\n[{},\n\n{}]", {1, 2}}}) {
        CAPTURE(body);
        std::vector<std::size_t> numbers;
        RowSplitter splitter{[&](std::string_view, bool, std::size_t number) { numbers.push_back(number); }, 1000};
        splitter.feed(body);
        CHECK_FALSE(splitter.finish());
        CHECK(numbers == want);
    }
}

TEST_CASE("tokens") {
    const auto tokens = Tokens::parse("# who\n\nbot:send:0123456789abcdef:x\r\n");
    REQUIRE(tokens.has_value());
    CHECK(tokens->find("Bearer 0123456789abcdef:x")->name == "bot");
    CHECK(tokens->find("bearer  0123456789abcdef:x")->scope == Scope::send);
    for (const char* bad : {"", "Bearer", "Bearer ", "Basic 0123456789abcdef:x", "Bearer 0123456789abcdef", "0123456789abcdef:x"}) {
        CAPTURE(bad);
        CHECK_FALSE(tokens->find(bad).has_value());
    }
    for (const char* bad : {"x", "a:b", "a:owner:0123456789abcdef", ":read:0123456789abcdef", "a:read:short"}) {
        CAPTURE(bad);
        const auto parsed = Tokens::parse(std::string{"\n"} + bad);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().where == "line 2");
    }
}
