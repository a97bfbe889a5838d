// What a modem's owner keeps beside messages: PINs tried, the audit's lines, flight records, the balance.
#include <algorithm>

#include "daemon/core/sha256.hpp"
#include "daemon/service/flight.hpp"
#include "daemon/service/modem_service.hpp"

namespace conductor::service {

namespace {

std::string pin_hash(std::string_view iccid, std::string_view pin) {
    return hex_of(sha256(std::string{iccid} + "|" + std::string{pin}));
}

/// The names under which the tries on one SIM are found.
struct PinKeys {
    std::vector<std::string> asked;  ///< a try under one of them may have been on this SIM
    std::string own, modem;          ///< a new try is written under these
};

/// While the ICCID is not told, the SIM is whatever is in this modem. Its first 18 digits: the check digit comes and goes.
PinKeys pin_keys(const driver::Identity& who) {
    const std::string blind = "imei:" + who.imei, known = "known-sim:imei:" + who.imei;
    if (who.iccid.empty()) return {{blind, known}, blind, blind};
    const std::string sim = who.iccid.substr(0, 18);
    return {{sim, who.iccid, blind}, sim, known};
}

std::string balance_setting(std::string_view iccid) {
    return fmt::format("balance.{}", iccid);
}

constexpr int silent_questions = 3;  ///< without an amount, before a person is told

}  // namespace

std::string last_setting(ModemIndex index) {
    return fmt::format("modem.{}.last", index);
}

std::string pair_setting(std::string_view imei) {
    return fmt::format("imei.{}.sim", imei);
}

std::string last_text(const driver::Identity& identity) {
    return identity.imei + ' ' + identity.iccid + ' ' + identity.imsi;
}

driver::Identity read_last(std::string_view text) {
    driver::Identity identity;
    for (std::string* field : {&identity.imei, &identity.iccid, &identity.imsi}) {
        const std::size_t end = std::min(text.find(' '), text.size());
        *field = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return identity;
}

aio::awaitable<bool> ModemService::may_enter_pin(driver::Identity who, std::string pin, std::optional<int> tries) {
    const WallTime now = context_.record_time();
    auto job = [keys = pin_keys(who), pin, tries, now](store::Tx& tx) {
        const bool all_left = tries.value_or(0) >= 3;  // nothing was used up, or a person entered the right one since
        for (const std::string& key : keys.asked) {
            if (!all_left && store::any_pin_try(tx, key)) return false;
            if (store::pin_try(tx, key, pin_hash(key, pin)) == store::PinOutcome::refused) return false;
        }
        for (const std::string* key : {&keys.own, &keys.modem}) store::set_pin_try(tx, *key, pin_hash(*key, pin), now);
        return true;
    };
    auto allowed = co_await context_.store.run(job);
    co_return allowed.has_value() && *allowed;
}

aio::awaitable<void> ModemService::note_pin(driver::Identity who, std::string pin, driver::PinNews news) {
    PinKeys keys = pin_keys(who);
    keys.asked.push_back(keys.modem);
    auto look = [all = keys.asked, pin](store::Tx& tx) {
        return std::ranges::any_of(all, [&](const std::string& key) { return store::pin_try(tx, key, pin_hash(key, pin)).has_value(); });
    };
    const auto tried = co_await context_.store.read(look);
    if (tried.has_value() && !*tried) co_return;  // every bring-up with an open SIM comes here
    auto job = [all = std::move(keys.asked), pin, news](store::Tx& tx) {
        for (const std::string& key : all) {
            const std::string hash = pin_hash(key, pin);
            const bool answered = news == driver::PinNews::answered;
            if (news != driver::PinNews::open)
                store::set_pin_outcome(tx, key, hash, answered ? store::PinOutcome::answered : store::PinOutcome::refused);
            else if (store::pin_try(tx, key, hash) == store::PinOutcome::answered)
                store::forget_pin_try(tx, key, hash);
        }
    };
    auto done = co_await context_.store.run(job);
    if (!done) log_.error("pin-not-noted", {{"error", done.error().text()}});
}

/// A network or a caller that goes on for ever must not fill the audit, which nothing may shorten.
void ModemService::noted(std::string_view what, std::string detail) {
    constexpr int most_an_hour = 60;
    if (const Instant now = context_.clock.now(); notes_since_ == Instant{} || now - notes_since_ >= std::chrono::hours{1}) {
        notes_since_ = now;
        notes_ = 0;
    }
    if (++notes_ > most_an_hour) {
        if (notes_ == most_an_hour + 1) log_.warning("notes-left-out", {{"what", what}});
        return;
    }
    asio::co_spawn(context_.executor, keep_note(std::string{what}, std::move(detail)), asio::detached);
}

/// A restart that finds the same differences again adds no line.
aio::awaitable<void> ModemService::keep_note(std::string what, std::string detail) {
    const WallTime now = context_.record_time();
    auto job = [what, detail = std::move(detail), index = config_.index, now](store::Tx& tx) {
        const std::string name = fmt::format("modem.{}.settings", index);
        if (what == "modem-settings") {
            if (store::get_setting(tx, name) == detail) return;
            store::set_setting(tx, name, detail);
        }
        store::audit(tx, now, "daemon", what, std::to_string(index), detail);
    };
    auto done = co_await context_.store.run(job, store::Urgency::soon);
    if (!done) log_.error("note-not-stored", {{"what", what}, {"error", done.error().text()}});
}

void ModemService::incident(std::string_view kind) {
    const Instant now = context_.clock.now();
    const auto [last, first] = flights_.try_emplace(std::string{kind}, now);
    if (!first && now - last->second < FlightLimits::between) return;
    last->second = now;
    asio::co_spawn(context_.executor, keep_flight(std::string{kind}, modem_.trace()), asio::detached);
}

/// On the store's thread: a slow card must not stall a modem.
aio::awaitable<void> ModemService::keep_flight(std::string kind, std::string text) {
    const WallTime now = context_.record_time();
    const auto keep = context_.env->config.retention.flight;
    struct Saved {
        std::string path, trouble;
    };
    auto job = [kind, text = std::move(text), index = config_.index, now, keep](store::Tx& tx) {
        Saved saved;
        const std::string folder = flight_folder(tx);
        if (folder.empty()) return saved;
        const auto path = save_flight(folder, now, index, kind, text);
        if (path)
            saved.path = *path;
        else
            saved.trouble = path.error().text();
        prune_flights(folder, now, keep);
        return saved;
    };
    auto saved = co_await context_.store.read(job);
    const std::string trouble = saved ? saved->trouble : saved.error().text();
    if (!trouble.empty())
        log_.error("flight-not-saved", {{"incident", kind}, {"error", trouble}});
    else if (!saved->path.empty())
        log_.notice("flight-saved", {{"incident", kind}, {"file", saved->path}});
}

aio::awaitable<void> ModemService::load_balance(std::string iccid) {
    auto job = [iccid](store::Tx& tx) { return store::get_setting(tx, balance_setting(iccid)); };
    auto kept = co_await context_.store.read(job);
    if (!kept) co_return;  // not known whether it was asked: it is not asked now
    balance_ = *kept ? dispatch::BalanceState::from_text(**kept) : dispatch::BalanceState{};
    balance_iccid_ = iccid;
}

aio::awaitable<void> ModemService::keep_setting(std::string name, std::string value) {
    auto job = [name, value = std::move(value)](store::Tx& tx) { store::set_setting(tx, name, value); };
    auto done = co_await context_.store.run(job, store::Urgency::soon);
    if (!done) log_.error("setting-not-stored", {{"name", name}, {"error", done.error().text()}});
}

void ModemService::keep_balance() {
    asio::co_spawn(context_.executor, keep_setting(balance_setting(balance_iccid_), balance_.to_text()), asio::detached);
}

Instant ModemService::balance_due() const {
    const auto wall = context_.wall();
    if (config_.balance.ussd.empty() || balance_iccid_.empty() || !wall) return Instant::max();
    if (balance_.asked_ms == 0) return context_.clock.now();
    const auto wait = std::chrono::milliseconds{balance_.asked_ms - to_ms(*wall)} + config_.balance.every;
    return context_.clock.now() + std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds{0}, config_.balance.every);
}

std::string ModemService::balance_code() {
    const auto wall = context_.wall();
    if (!wall) return {};
    balance_.asked_ms = to_ms(*wall);
    keep_balance();
    return config_.balance.ussd;
}

std::vector<driver::Advice> ModemService::advice() const {
    auto all = status().advice;
    if (config_.balance.ussd.empty()) return all;
    if (balance_low())
        all.push_back({"balance-low", fmt::format("The SIM's balance is {} {}, below {}: top it up.", *balance_.amount, config_.currency,
                                                  config_.balance.low)});
    if (balance_.failures >= silent_questions || (balance_.failures > 0 && balance_pattern_fails_))
        all.push_back(
            {"balance-unknown",
             fmt::format("The SIM's balance is not known: {} question{} in a row gave no amount{}. Compare `conductorctl modem "
                         "ussd {} '{}'` with balance.pattern.",
                         balance_.failures, balance_.failures == 1 ? "" : "s",
                         balance_problem_.empty() ? "" : ", the last: " + balance_problem_, config_.index, config_.balance.ussd)});
    return all;
}

void ModemService::balance_answered(Result<std::string> text) {
    const auto amount = text ? dispatch::balance_in(*text, config_.balance.pattern) : std::nullopt;
    balance_pattern_fails_ = false;
    balance_problem_.clear();
    if (!amount) {
        balance_pattern_fails_ = text.has_value();
        balance_problem_ = text ? "the answer does not fit the pattern" : text.error().text();
        if (++balance_.failures >= silent_questions) {
            log_.error("balance-unknown", {{"questions", balance_.failures}, {"why", text ? "pattern" : text.error().text()}});
            if (balance_.failures == silent_questions)
                noted("balance-unknown", text ? "the pattern does not fit the answer: " + *text : text.error().text());
        }
        return keep_balance();
    }
    const bool was_low = balance_low();
    balance_.amount = *amount;
    balance_.failures = 0;
    balance_.read_ms = balance_.asked_ms;
    keep_balance();
    log_.info("balance", {{"amount", fmt::format("{}", *amount)}, {"low", balance_low()}});
    if (!balance_low()) return;
    log_.error("balance-low", {{"amount", fmt::format("{}", *amount)}, {"limit", fmt::format("{}", config_.balance.low)}});
    if (!was_low) noted("balance-low", fmt::format("{} {}, below {}", *amount, config_.currency, config_.balance.low));
}

}  // namespace conductor::service
