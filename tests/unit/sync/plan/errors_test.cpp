#include "sync/plan/errors.hpp"

#include <doctest/doctest.h>

using namespace conductor::sync;

namespace {

std::string postgrest(std::string_view code, std::string_view message = "m") {
    return R"({"code":")" + std::string{code} + R"(","details":null,"hint":null,"message":")" + std::string{message} + R"("})";
}

const char* const html = "<html><body>error</body></html>";

}  // namespace

TEST_CASE("judge_rest: a class for every answer that was measured, and for those that were not") {
    struct Row {
        const char* name;
        long status;
        std::string body;
        Action want;
    };
    const Row rows[] = {
        {"ok", 200, "[]", Action::none},
        {"created", 201, "", Action::none},
        {"nothing at all", 0, "", Action::retry},
        {"token is over, v12", 401, postgrest("PGRST301", "JWT expired"), Action::refresh},
        {"token is over, v13", 401, postgrest("PGRST303"), Action::refresh},
        {"no token", 401, postgrest("42501"), Action::refresh},
        {"wrong apikey", 401, R"({"message":"Invalid API key"})", Action::other_key},
        {"401 of an edge", 401, html, Action::other_key},
        {"role unknown, v12", 400, postgrest("22023", "role \\\"x\\\" does not exist"), Action::refresh},
        {"disabled box", 403, postgrest("PT403"), Action::restricted},
        {"function not granted", 403, postgrest("42501"), Action::restricted},
        {"quota", 402, html, Action::restricted},
        {"paused", 540, html, Action::restricted},
        {"unknown function", 404, postgrest("PGRST202"), Action::not_ready},
        {"unknown table", 404, postgrest("42P01"), Action::not_ready},
        {"unknown table, v13", 404, postgrest("PGRST205"), Action::not_ready},
        {"unknown column", 400, postgrest("42703"), Action::not_ready},
        {"unknown insert column", 400, postgrest("PGRST204"), Action::not_ready},
        {"unknown schema", 406, postgrest("PGRST106"), Action::not_ready},
        {"no such project", 404, html, Action::not_ready},
        {"method", 405, postgrest("PGRST117"), Action::not_ready},
        {"read-only after a failover", 405, postgrest("25006"), Action::retry},
        {"statement timeout", 500, postgrest("57014"), Action::retry},
        {"deadlock", 500, postgrest("40P01"), Action::retry},
        {"lock timeout", 500, postgrest("55P03"), Action::retry},
        {"internal", 500, postgrest("XX000"), Action::retry},
        {"database down", 503, postgrest("PGRST000"), Action::retry},
        {"pool", 504, postgrest("PGRST003"), Action::retry},
        {"gateway timeout", 544, html, Action::retry},
        {"edge cannot reach", 522, html, Action::retry},
        {"too many", 429, R"({"message":"rate"})", Action::retry},
        {"request timeout", 408, "", Action::retry},
        {"too early", 425, "", Action::retry},
        {"captive portal", 302, html, Action::retry},
        {"bad JSON", 400, postgrest("PGRST102"), Action::bisect},
        {"NUL", 400, postgrest("22P05"), Action::bisect},
        {"not null", 400, postgrest("23502"), Action::bisect},
        {"unique", 409, postgrest("23505"), Action::bisect},
        {"plain raise", 400, postgrest("P0001"), Action::bisect},
        {"too large, as a page", 413, html, Action::bisect},
        {"unprocessable", 422, "", Action::bisect},
        {"code is no string", 400, R"({"code":400})", Action::bisect},
        {"JSON, but no object", 400, "[1]", Action::bisect},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(to_string(judge_rest({row.status, row.body, {}}).action) == to_string(row.want));
    }
    const Judgement told = judge_rest({403, postgrest("PT403", "this user is no enabled gateway"), {}});
    CHECK(told.code == "PT403");
    CHECK(told.message == "this user is no enabled gateway");
    CHECK(judge_rest({500, R"({"message":")" + std::string(500, 'x') + "\"}", {}}).message.size() == 200);
}

TEST_CASE("judge_auth") {
    struct Row {
        const char* name;
        long status;
        std::string_view body;
        Action want;
    };
    const Row rows[] = {
        {"session", 200, "{}", Action::none},
        {"wrong password", 400, R"({"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"})", Action::restricted},
        {"wrong password, old form", 400, R"({"error":"invalid_grant","error_description":"Invalid login credentials"})",
         Action::restricted},
        {"spent refresh token", 400, R"({"error_code":"refresh_token_already_used"})", Action::refresh},
        {"unknown refresh token", 400, R"({"error_code":"refresh_token_not_found"})", Action::refresh},
        {"session over", 403, R"({"error_code":"session_expired"})", Action::refresh},
        {"banned", 403, R"({"error_code":"user_banned"})", Action::restricted},
        {"rate", 429, R"({"error_code":"over_request_rate_limit"})", Action::retry},
        {"wrong apikey", 401, R"({"message":"Invalid API key"})", Action::other_key},
        {"edge", 401, "no", Action::other_key},
        {"down", 502, "<html>", Action::retry},
        {"no answer", 0, "", Action::retry},
        {"paused", 540, "", Action::restricted},
        {"no such project", 404, "", Action::not_ready},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(to_string(judge_auth({row.status, std::string{row.body}, {}}).action) == to_string(row.want));
    }
}

TEST_CASE("parse_retry_after: seconds; zero, dates and nonsense are none; at most an hour") {
    using std::chrono::seconds;
    CHECK(parse_retry_after("7") == seconds{7});
    CHECK(parse_retry_after(" 12\r\n") == seconds{12});
    CHECK(parse_retry_after("0") == std::nullopt);
    CHECK(parse_retry_after("") == std::nullopt);
    CHECK(parse_retry_after("-1") == std::nullopt);
    CHECK(parse_retry_after("1.5") == std::nullopt);
    CHECK(parse_retry_after("Wed, 21 Oct 2026 07:28:00 GMT") == std::nullopt);
    CHECK(parse_retry_after("86400") == seconds{3600});
    CHECK(parse_retry_after("99999999999999999999999") == seconds{3600});
}

TEST_CASE("is_allowed_url: https anywhere, http to this machine alone") {
    for (const char* good :
         {"https://abc.supabase.co", "http://127.0.0.1:54321", "http://localhost", "http://localhost:80/x", "http://[::1]:80"})
        CHECK_MESSAGE(is_allowed_url(good), std::string{good});
    for (const char* bad : {"http://example.com", "http://127.0.0.1.example.com", "http://localhost.example.com",
                            "http://127.0.0.1@example.com", "ftp://127.0.0.1", "https://", "", "http://[::1].example.com", "http://[::2]"})
        CHECK_MESSAGE(!is_allowed_url(bad), std::string{bad});
}
