#include "sync/client/client.hpp"

#include <algorithm>
#include <iterator>
#include <random>

#include "sync/client/login.hpp"
#include "sync/plan/batch.hpp"

namespace conductor::sync {

class Client::Impl {
public:
    Impl(aio::Executor ex, Log log, ClientSettings settings, const Clock* wall)
        : ex_{ex}, log_{std::move(log)}, settings_{std::move(settings)}, wall_{wall}, login_{ex}, back_off_{settings_.back_off} {}

    void update(ClientSettings settings);
    /// POSTs to a gw_*_v1 function and returns the answer's body.
    struct Answered {
        std::string body;
        Instant requested_at{};
    };
    aio::awaitable<Result<Answered>> call(std::string function, std::string body, std::optional<std::chrono::milliseconds> timeout = {});
    aio::awaitable<Result<Access>> access(std::string refused);
    aio::awaitable<Result<std::vector<ItemVerdict>>> items(std::string function, std::vector<std::string> objects,
                                                           std::vector<ItemVerdict> verdicts);
    /// Counts an answer of ours that is not what API.md promises: a server of another version.
    Error bad_answer(const Error& error);

    /// Of the settings, or what hello named: every later call carries it, so that a replaced box notices.
    const std::string& instance() const { return settings_.instance.empty() ? greeted_as_ : settings_.instance; }
    void greeted_as(const std::string& instance) { greeted_as_ = instance; }
    const ClientStatus& status() {
        status_.breaker_open = back_off_.open();
        status_.logins = login_.logins();
        status_.refreshes = login_.refreshes();
        return status_;
    }
    std::chrono::milliseconds back_off() const { return back_off_.left(BootClock::now()); }
    void reset_back_off() { back_off_.succeeded(); }
    const ServerClock& server_clock() const { return clock_; }
    std::chrono::milliseconds patience(Patience how) const {
        return how == Patience::haste ? std::min(settings_.begin_timeout, settings_.timeout) : settings_.timeout;
    }
    void fenced(bool yes) { status_.fenced = yes; }
    HttpClient& http();

private:
    aio::awaitable<Attempt> attempt(const std::string& function, const std::string& body, std::chrono::milliseconds timeout);
    aio::awaitable<Attempt> post(const std::string& function, const std::string& body, std::chrono::milliseconds timeout);
    Error failed(const std::string& function, const Attempt& attempt, Instant begun);
    bool learn_time(Instant start, Instant end, const std::string& body);
    std::string key() const { return settings_.keys.empty() ? std::string{} : settings_.keys[key_ % settings_.keys.size()]; }

    aio::Executor ex_;
    Log log_;
    ClientSettings settings_;
    std::string greeted_as_;
    const Clock* wall_;
    std::unique_ptr<HttpClient> http_;
    Login login_;
    std::size_t key_ = 0;
    BackOff back_off_;
    bool shut_out_ = false;  ///< by the last failure: the credentials or the project, not the moment
    ServerClock clock_;
    ClientStatus status_;
    std::mt19937_64 rng_{std::random_device{}()};
};

HttpClient& Client::Impl::http() {
    if (!http_) {
        HttpSettings settings;
        settings.connect_timeout = settings_.connect_timeout;
        settings.ca_file = settings_.ca_file;
        http_ = std::make_unique<HttpClient>(ex_, settings);
    }
    return *http_;
}

void Client::Impl::update(ClientSettings settings) {
    if (settings.email != settings_.email || settings.password != settings_.password || settings.jwt != settings_.jwt ||
        settings.url != settings_.url)
        login_.reset();
    if (settings.keys != settings_.keys) key_ = 0;
    settings_ = std::move(settings);
    back_off_ = BackOff{settings_.back_off};
}

bool Client::Impl::learn_time(Instant start, Instant end, const std::string& body) {
    const auto server_now = parse_server_now(body);
    if (!server_now) return false;
    clock_.add(start, end, *server_now);
    const auto wall = wall_ ? wall_->wall() : std::nullopt;
    if (wall) status_.clock_offset = *clock_.now(BootClock::now()) - *wall;
    return true;
}

aio::awaitable<Attempt> Client::Impl::post(const std::string& function, const std::string& body, std::chrono::milliseconds timeout) {
    HttpClient::Request request;
    request.method = "POST";
    request.url = settings_.url + "/rest/v1/rpc/" + function;
    request.body = body;
    request.headers = request_headers(key(), login_.token());
    request.timeout = timeout;
    auto response = co_await http().perform(std::move(request));
    Attempt out;
    if (!response) {
        out.judgement = {Action::retry, "transport", response.error().where};
        co_return out;
    }
    out.answer = {response->status, std::move(response->body), response->retry_after};
    out.judgement = judge_rest(out.answer);
    co_return out;
}

/// Token and key are put right on the way: each is renewed once.
aio::awaitable<Attempt> Client::Impl::attempt(const std::string& function, const std::string& body, std::chrono::milliseconds timeout) {
    Attempt out;
    int refreshed = 0;
    for (std::size_t keys_tried = 0;;) {
        const std::string with = key();
        out = co_await login_.ensure(http(), settings_, with, timeout);
        if (out.judgement.action == Action::none) {
            const std::string used = login_.token();
            out = co_await post(function, body, timeout);
            if (out.judgement.action == Action::refresh) {
                login_.refused(used);
                // First with the refresh token, then with the password; a minted token cannot be renewed here.
                if (refreshed == 1) login_.reset();
                if (settings_.jwt.empty() && ++refreshed <= 2) continue;
            }
            // it may be what the token says that is out of date: the next call, in minutes, comes with another
            if (out.judgement.action == Action::restricted) login_.refused(used);
        }
        if (out.judgement.action == Action::other_key && ++keys_tried < settings_.keys.size()) {
            ++key_;
            log_.notice("sync-key", {{"what", "publishable key refused, trying the next one"}});
            continue;
        }
        co_return out;
    }
}

/// Takes no part in back-off: the calls judge the server, and a listener has a pause of its own. But who was shut out does not log in
/// before the calls do: Auth counts the attempts of a whole site.
aio::awaitable<Result<Access>> Client::Impl::access(std::string refused) {
    if (!is_allowed_url(settings_.url)) co_return fail(SyncErrc::forbidden, "url: https, or http to this machine alone");
    if (back_off_.refuses(BootClock::now())) co_return fail(SyncErrc::transport, "breaker");
    if (!refused.empty()) login_.refused(refused);
    if (settings_.jwt.empty() && login_.spent() && shut_out_ && back_off().count() > 0) co_return fail(SyncErrc::forbidden, "login: later");
    const std::string with = key();
    const Attempt done = co_await login_.ensure(http(), settings_, with, settings_.timeout);
    if (done.judgement.action != Action::none)
        co_return fail(done.answer.status == 0 ? SyncErrc::transport : errc_of(done.judgement.action), "login: " + done.judgement.code);
    Access access{settings_.url, with, login_.token()};
    co_return access;
}

Error Client::Impl::failed(const std::string& function, const Attempt& attempt, Instant begun) {
    const Judgement& why = attempt.judgement;
    const bool transport = attempt.answer.status == 0;
    std::string where = function + ": " + (transport ? std::string{} : std::to_string(attempt.answer.status) + " ") + why.code;
    const Error error{transport ? SyncErrc::transport : errc_of(why.action), where};
    if (why.action == Action::bisect) return error;  // the server is well; the data is not
    shut_out_ = why.action == Action::restricted || why.action == Action::refresh || why.action == Action::other_key;
    const double random = std::uniform_real_distribution<double>{0.0, 1.0}(rng_);
    const auto reached = transport ? Reached::nobody : Reached::server;
    const auto wait = back_off_.failed({begun, BootClock::now()}, why.action, attempt.answer.retry_after, random, reached);
    ++status_.failures;
    status_.connected = false;
    status_.last_error = error.text();
    if (!why.message.empty()) status_.last_error += ": " + why.message;
    log_.warning("sync-call", {{"call", function},
                               {"action", to_string(why.action)},
                               {"status", attempt.answer.status},
                               {"code", why.code},
                               {"why", why.message},
                               {"wait_ms", wait.count()}});
    return error;
}

Error Client::Impl::bad_answer(const Error& error) {
    const double random = std::uniform_real_distribution<double>{0.0, 1.0}(rng_);
    const Instant now = BootClock::now();
    back_off_.failed({now, now}, Action::not_ready, std::nullopt, random);
    ++status_.failures;
    status_.last_error = error.text();
    log_.error("sync-answer", {{"what", error.text()}});
    return error;
}

aio::awaitable<Result<Client::Impl::Answered>> Client::Impl::call(std::string function, std::string body,
                                                                  std::optional<std::chrono::milliseconds> timeout) {
    if (!is_allowed_url(settings_.url)) co_return fail(SyncErrc::forbidden, "url: https, or http to this machine alone");
    if (back_off_.refuses(BootClock::now())) co_return fail(SyncErrc::transport, "breaker");
    ++status_.calls;
    const Instant start = BootClock::now();
    Attempt done = co_await attempt(function, body, timeout.value_or(settings_.timeout));
    // A 200 without the server's time is a proxy's or a captive portal's page.
    if (done.judgement.action == Action::none && !learn_time(start, BootClock::now(), done.answer.body))
        done.judgement = {Action::retry, "not-ours", "the answer is no gw_* answer"};
    if (done.judgement.action != Action::none) co_return failed(function, done, start);
    back_off_.succeeded();
    status_.connected = true;
    status_.last_error.clear();
    Answered out{std::move(done.answer.body), start};
    co_return out;
}

aio::awaitable<Result<std::vector<ItemVerdict>>> Client::Impl::items(std::string function, std::vector<std::string> objects,
                                                                     std::vector<ItemVerdict> verdicts) {
    // Items that are no JSON were rejected before and are empty here.
    std::vector<std::size_t> where, sizes;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (objects[i].empty()) continue;
        where.push_back(i);
        sizes.push_back(objects[i].size() + 1);
    }
    Bisect work{cut(sizes)};
    while (const auto range = work.next()) {
        std::vector<std::string> batch;
        for (std::size_t i = range->begin; i < range->end; ++i) batch.push_back(objects[where[i]]);
        std::string request = items_request(batch);
        auto answered = co_await call(function, std::move(request));
        if (!answered) {
            if (!answered.error().is(SyncErrc::rejected)) co_return answered.error();
            if (const auto alone = work.refused()) {
                verdicts[where[*alone]].verdict = Verdict::rejected;
                verdicts[where[*alone]].reason = answered.error().where;
            }
            continue;
        }
        auto got = parse_verdicts(answered->body);
        if (!got) co_return bad_answer(got.error());
        if (got->size() != range->size()) co_return bad_answer(fail(SyncErrc::bad_answer, "verdicts"));
        for (std::size_t i = range->begin; i < range->end; ++i) {
            ItemVerdict& mine = verdicts[where[i]];
            mine.verdict = (*got)[i - range->begin].verdict;
            mine.reason = std::move((*got)[i - range->begin].reason);
        }
        work.accepted();
    }
    co_return verdicts;
}

Client::Client(aio::Executor ex, Log log, ClientSettings settings, const Clock* wall)
    : impl_{std::make_unique<Impl>(std::move(ex), std::move(log), std::move(settings), wall)} {}
Client::~Client() = default;

void Client::update(ClientSettings settings) {
    impl_->update(std::move(settings));
}
const ClientStatus& Client::status() const {
    return impl_->status();
}
std::chrono::milliseconds Client::patience(Patience patience) const {
    return impl_->patience(patience);
}
std::chrono::milliseconds Client::back_off() const {
    return impl_->back_off();
}
void Client::reset_back_off() {
    impl_->reset_back_off();
}
const ServerClock& Client::server_clock() const {
    return impl_->server_clock();
}

aio::awaitable<Result<HelloAnswer>> Client::hello(Hello request) {
    if (request.instance.empty()) request.instance = impl_->instance();
    impl_->greeted_as(request.instance);
    const std::int64_t protocol = request.protocol;
    auto answered = co_await impl_->call("gw_hello_v1", hello_request(request));
    if (!answered) co_return answered.error();
    auto hello = parse_hello(answered->body);
    if (!hello) co_return impl_->bad_answer(hello.error());
    impl_->fenced(hello->fenced);
    if (protocol < hello->protocol_min) co_return fail(SyncErrc::not_ready, "protocol: this version is too old for the server");
    if (protocol > hello->protocol_max) co_return fail(SyncErrc::not_ready, "protocol: the server is too old for this version");
    co_return hello;
}

aio::awaitable<Result<ClaimAnswer>> Client::claim(ClaimRequest request) {
    auto answered = co_await impl_->call("gw_claim_v1", claim_request(request, impl_->instance()));
    if (!answered) co_return answered.error();
    auto claim = parse_claim(answered->body);
    if (!claim) co_return impl_->bad_answer(claim.error());
    impl_->fenced(claim->fenced);
    if (claim->fenced) co_return fail(SyncErrc::forbidden, "fenced");
    claim->requested_at = answered->requested_at;
    co_return claim;
}

aio::awaitable<Result<ClaimAnswer>> Client::mine(std::vector<std::string> adopt) {
    ClaimAnswer all;
    for (std::int64_t after = 0;;) {
        auto answered = co_await impl_->call("gw_mine_v1", mine_request(after, impl_->instance(), adopt));
        if (!answered) co_return answered.error();
        auto page = parse_claim(answered->body);
        if (!page) co_return impl_->bad_answer(page.error());
        impl_->fenced(page->fenced);
        if (page->fenced) co_return fail(SyncErrc::forbidden, "fenced");
        // The first request's times hold for all pages: they are the safe ones.
        if (after == 0) all.requested_at = answered->requested_at, all.server_now = page->server_now;
        all.alone = page->alone;
        std::ranges::move(page->jobs, std::back_inserter(all.jobs));
        std::ranges::move(page->unread, std::back_inserter(all.unread));
        if (!page->next || *page->next <= after) co_return all;
        after = *page->next;
    }
}

aio::awaitable<Result<std::vector<Client::BeginAnswer>>> Client::begin(std::vector<Begin> jobs, Patience patience) {
    auto answered = co_await impl_->call("gw_begin_v1", begin_request(jobs, impl_->instance()), impl_->patience(patience));
    if (!answered) co_return answered.error();
    auto answers = parse_begin(answered->body);
    if (!answers) co_return impl_->bad_answer(answers.error());
    co_return answers;
}

aio::awaitable<Result<std::vector<Client::Renewed>>> Client::renew(std::vector<Begin> jobs, std::optional<std::chrono::seconds> lease) {
    auto answered = co_await impl_->call("gw_renew_v1", renew_request(jobs, lease, impl_->instance()));
    if (!answered) co_return answered.error();
    auto answers = parse_renew(answered->body);
    if (!answers) co_return impl_->bad_answer(answers.error());
    for (Renewed& one : *answers) one.requested_at = answered->requested_at;
    co_return answers;
}

namespace {

/// Objects of a batch, empty where the item is no JSON; such an item's verdict is set.
template <class Item>
std::vector<std::string> objects_of(const std::vector<Item>& items, std::string Item::*id, std::string_view id_name,
                                    std::vector<ItemVerdict>& verdicts) {
    std::vector<std::string> objects;
    objects.reserve(items.size());
    for (const Item& item : items) {
        auto object = item_json(item.body, id_name, item.*id);
        ItemVerdict verdict;
        verdict.id = item.*id;
        verdict.verdict = Verdict::rejected;
        if (!object) verdict.reason = "no JSON object";
        verdicts.push_back(std::move(verdict));
        objects.push_back(object ? *std::move(object) : std::string{});
    }
    return objects;
}

}  // namespace

aio::awaitable<Result<std::vector<ItemVerdict>>> Client::report(std::vector<ReportItem> items) {
    std::vector<ItemVerdict> verdicts;
    auto objects = objects_of(items, &ReportItem::event_id, "event_id", verdicts);
    co_return co_await impl_->items("gw_report_v1", std::move(objects), std::move(verdicts));
}

aio::awaitable<Result<std::vector<ItemVerdict>>> Client::inbound(std::vector<InboundItem> items) {
    std::vector<ItemVerdict> verdicts;
    auto objects = objects_of(items, &InboundItem::local_id, "local_id", verdicts);
    co_return co_await impl_->items("gw_inbound_v1", std::move(objects), std::move(verdicts));
}

aio::awaitable<Result<std::vector<Command>>> Client::commands(std::int64_t after) {
    auto answered = co_await impl_->call("gw_commands_v1", commands_request(impl_->instance(), after));
    if (!answered) co_return answered.error();
    auto commands = parse_commands(answered->body);
    if (!commands) co_return impl_->bad_answer(commands.error());
    impl_->fenced(commands->fenced);
    co_return std::move(commands->commands);
}

aio::awaitable<Result<Access>> Client::access(std::string refused) {
    return impl_->access(std::move(refused));
}

HttpClient& Client::http() {
    return impl_->http();
}

aio::awaitable<Result<void>> Client::acknowledge(std::vector<std::int64_t> command_ids) {
    auto answered = co_await impl_->call("gw_ack_v1", acknowledge_request(command_ids));
    if (!answered) co_return answered.error();
    co_return Result<void>{};
}

}  // namespace conductor::sync
