#pragma once
// The access token of this box: login with the password, refresh before it ends, or a minted JWT as it is.
#include <memory>
#include <string>
#include <vector>

#include "sync/client/http.hpp"
#include "sync/plan/errors.hpp"
#include "sync/plan/wire.hpp"

namespace conductor::sync {

struct ClientSettings;

/// How a request ended: an answer to judge, or (status 0) what libcurl said.
struct Attempt {
    Judgement judgement;
    HttpAnswer answer;
};

/// Headers of every request: the publishable key goes into apikey, never into Authorization.
std::vector<std::string> request_headers(const std::string& key, const std::string& token);

class Login {
public:
    explicit Login(aio::Executor ex) : ex_{std::move(ex)} {}

    /// Makes sure that there is a token that lives for a while; Action::none when there is. Callers wait for each other, and for each
    /// request, no longer than `limit`.
    aio::awaitable<Attempt> ensure(HttpClient& http, const ClientSettings& settings, std::string key, std::chrono::milliseconds limit);
    const std::string& token() const { return token_; }
    /// ensure() would have to ask for one.
    bool spent() const { return token_.empty() || BootClock::now() >= renew_at_; }
    /// The server refused `used`: it is refreshed at the next ensure(), unless another call did so in the meantime.
    void refused(const std::string& used);
    /// Forgets everything, for new credentials.
    void reset();
    std::uint64_t logins() const { return logins_; }
    std::uint64_t refreshes() const { return refreshes_; }

private:
    /// Until the login of another call has ended, or that.
    aio::awaitable<void> wait_until(Instant end);
    aio::awaitable<Attempt> ensure_once(HttpClient& http, const ClientSettings& settings, std::string key, std::chrono::milliseconds limit);
    aio::awaitable<Attempt> ask(HttpClient& http, const ClientSettings& settings, std::string key, bool refresh,
                                std::chrono::milliseconds limit);
    void keep(Session session, Instant now);

    aio::Executor ex_;
    std::vector<std::shared_ptr<aio::Timer>> waiting_;  ///< of the calls that wait: cancelled when busy_ falls
    bool busy_ = false;
    std::string token_, refresh_token_;
    Instant renew_at_{};
    std::uint64_t reset_ = 0;  ///< how often: what was asked for before is not kept
    std::uint64_t logins_ = 0, refreshes_ = 0;
};

}  // namespace conductor::sync
