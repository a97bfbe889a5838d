#include "sync/client/login.hpp"

#include <algorithm>
#include <utility>

#include "sync/client/client.hpp"

namespace conductor::sync {

using namespace std::chrono_literals;

std::vector<std::string> request_headers(const std::string& key, const std::string& token) {
    std::vector<std::string> headers = {"Content-Type: application/json", "Accept: application/json", "Expect:", "apikey: " + key};
    if (!token.empty()) headers.push_back("Authorization: Bearer " + token);
    return headers;
}

void Login::refused(const std::string& used) {
    if (used == token_) token_.clear();
}

void Login::reset() {
    ++reset_;
    token_.clear();
    refresh_token_.clear();
}

void Login::keep(Session session, Instant now) {
    token_ = std::move(session.access_token);
    refresh_token_ = std::move(session.refresh_token);
    // 90 s before its end; a short token at three quarters of its life. Counted from receipt: wall clocks are not trusted.
    const std::chrono::nanoseconds life = session.expires_in;
    renew_at_ = now + std::max(life - 90s, life * 3 / 4);
}

aio::awaitable<Attempt> Login::ask(HttpClient& http, const ClientSettings& settings, std::string key, bool refresh,
                                   std::chrono::milliseconds limit) {
    HttpClient::Request request;
    request.method = "POST";
    request.url = settings.url + "/auth/v1/token?grant_type=" + (refresh ? "refresh_token" : "password");
    request.body = refresh ? refresh_request(refresh_token_) : password_request(settings.email, settings.password);
    request.headers = request_headers(key, {});
    request.timeout = limit;
    const auto asked_at = reset_;
    auto response = co_await http.perform(std::move(request));
    Attempt out;
    if (!response) {
        out.judgement = {Action::retry, "transport", response.error().where};
        co_return out;
    }
    out.answer = {response->status, std::move(response->body), response->retry_after};
    out.judgement = judge_auth(out.answer);
    if (out.judgement.action != Action::none) co_return out;
    auto session = parse_session(out.answer.body);
    if (!session) {
        out.judgement = {Action::retry, "bad-session", session.error().where};
        co_return out;
    }
    ++(refresh ? refreshes_ : logins_);
    if (asked_at == reset_) keep(*std::move(session), BootClock::now());
    co_return out;
}

aio::awaitable<Attempt> Login::ensure(HttpClient& http, const ClientSettings& settings, std::string key, std::chrono::milliseconds limit) {
    for (;;) {
        const auto asked_at = reset_;
        Attempt out = co_await ensure_once(http, settings, key, limit);
        if (asked_at == reset_) co_return out;  // else there are other credentials by now
    }
}

aio::awaitable<void> Login::wait_until(Instant end) {
    const auto timer = std::make_shared<aio::Timer>(ex_, end);
    waiting_.push_back(timer);
    co_await timer->async_wait(aio::as_value);
    std::erase(waiting_, timer);
}

aio::awaitable<Attempt> Login::ensure_once(HttpClient& http, const ClientSettings& settings, std::string key,
                                           std::chrono::milliseconds limit) {
    Attempt out;
    if (!settings.jwt.empty()) {
        token_ = settings.jwt;
        co_return out;
    }
    const Instant until = limit >= settings.timeout ? Instant::max() : BootClock::now() + limit;  // who is in no hurry waits for its end
    while (busy_) {
        if (BootClock::now() >= until) {
            out.judgement = {Action::retry, "transport", "login"};
            co_return out;
        }
        co_await wait_until(until);
    }
    if (!spent()) co_return out;
    busy_ = true;
    struct Release {
        Login& login;
        ~Release() {
            login.busy_ = false;
            for (const auto& timer : std::exchange(login.waiting_, {})) timer->cancel();
        }
    };
    const Release release{*this};
    if (!refresh_token_.empty()) {
        out = co_await ask(http, settings, key, true, limit);
        if (out.judgement.action == Action::none) co_return out;
        const bool spent = out.judgement.action == Action::refresh || out.judgement.action == Action::restricted;
        if (!spent) co_return out;
        refresh_token_.clear();
    }
    out = co_await ask(http, settings, key, false, limit);
    if (out.judgement.action == Action::refresh) out.judgement.action = Action::restricted;
    co_return out;
}

}  // namespace conductor::sync
