// The examples of sync/supabase/API.md, run in their order: an answer has the documented keys, types and words.
#include <sstream>

#include "sync/client/http.hpp"
#include "sync/client/login.hpp"
#include "tests/integration/sync/world.hpp"

using namespace conductor;
using namespace conductor::sync_test;

namespace {

struct Block {
    std::string kind;  ///< "sql", "json request gw_x_v1", "json answer"
    std::string text;
};

std::vector<Block> blocks_of(const std::string& markdown) {
    std::vector<Block> blocks;
    std::istringstream lines{markdown};
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("```")) {
            inside = !inside;
            if (inside) blocks.push_back({line.substr(3), {}});
        } else if (inside) {
            blocks.back().text += line + "\n";
        }
    }
    return blocks;
}

bool is_time(const std::string& text) {
    return parse_rfc3339(text).has_value();
}

/// Same keys, same types; numbers, booleans, nulls and words the same, times and UUIDs any.
void same_shape(const json& documented, const json& actual, const std::string& where) {
    CAPTURE(where);
    REQUIRE(std::string_view{documented.type_name()} == std::string_view{actual.type_name()});
    if (documented.is_object()) {
        for (const auto& [key, value] : documented.items()) {
            INFO(key);
            REQUIRE(actual.contains(key));
            same_shape(value, actual.at(key), where + "." + key);
        }
        for (const auto& [key, value] : actual.items()) CHECK_MESSAGE(documented.contains(key), (where + "." + key + " is not documented"));
    } else if (documented.is_array()) {
        REQUIRE(documented.size() == actual.size());
        for (std::size_t i = 0; i < documented.size(); ++i) same_shape(documented[i], actual[i], where + "[" + std::to_string(i) + "]");
    } else if (documented.is_string() && is_time(documented)) {
        CHECK(is_time(actual));
    } else if (!where.ends_with(".generation")) {
        CHECK(documented == actual);
    }
}

std::string post(World& w, const std::string& path, const std::string& body, const std::string& token) {
    sync::HttpClient http{w.io.get_executor()};
    sync::HttpClient::Request request;
    request.method = "POST";
    request.url = w.stack.url() + path;
    request.body = body;
    request.headers = sync::request_headers(w.stack.key(), token);
    auto response = w.run(http.perform(request));
    REQUIRE(response.has_value());
    REQUIRE_MESSAGE(response->status == 200, response->body);
    return response->body;
}

}  // namespace

TEST_CASE("API.md: every example is what happens") {
    World w;
    const json box = w.stack.gateway();
    const json session = json::parse(
        post(w, "/auth/v1/token?grant_type=password", json{{"email", box.at("email")}, {"password", box.at("password")}}.dump(), {}));
    std::string function;
    json actual;
    int answers = 0;
    for (const Block& block : blocks_of(harness::slurp(SOURCE_DIR "/sync/supabase/API.md"))) {
        if (block.kind == "sql") {
            w.stack.sql(block.text);
        } else if (block.kind.starts_with("json request ")) {
            function = block.kind.substr(13);
            const std::string body = json{{"p", json::parse(block.text)}}.dump();
            actual = json::parse(post(w, "/rest/v1/rpc/" + function, body, session.at("access_token")));
        } else {
            REQUIRE(block.kind == "json answer");
            same_shape(json::parse(block.text), actual, function);
            ++answers;
        }
    }
    CHECK(answers == 9);
    CHECK(w.stack.count("messages") == 3);
    CHECK(w.stack.sql("select status, delivery_status from scheduled_messages") == "delivered|delivered");
}

TEST_CASE("the vendor's own client accepts the Realtime of these tests, and hears the doorbell") {
    World w;
    const harness::TempDir folder;
    const auto judged =
        harness::run({"node", SOURCE_DIR "/tests/support/supabase/realtime_check.mjs", w.stack.ready().dump()}, folder.path());
    CHECK_MESSAGE(judged.status == 0, judged.out << judged.err);
    CHECK(judged.out.find("ok - 1.0.0: a row rings") != std::string::npos);
    CHECK(judged.out.find("ok - 2.0.0: a row rings") != std::string::npos);
}
