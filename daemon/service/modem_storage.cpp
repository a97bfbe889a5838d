// ModemService: the modem's own storage as a journal.
#include "daemon/service/modem_service.hpp"

namespace conductor::service {

namespace {

std::string storing_setting(const driver::Identity& who) {
    return "storing." + who.imei;
}

}  // namespace

aio::awaitable<bool> ModemService::note_slot(std::int64_t token, std::optional<driver::StoredAt> at) {
    auto job = [token, at = std::move(at)](store::Tx& tx) { service::note_slot(tx, token, at); };
    auto noted = co_await context_.store.run(job);
    if (!noted) log_.error("slot-not-journaled", {{"error", noted.error().text()}});
    co_return noted.has_value();
}

aio::awaitable<std::vector<driver::SlotRuling>> ModemService::judge_slots(driver::SlotReading reading) {
    std::vector<driver::SlotRuling> leave(reading.slots.size(), driver::SlotRuling::leave);
    const auto now = context_.wall();
    if (!now || !shared_.recovered) co_return leave;
    auto job = [env = context_.env, reading = std::move(reading), now = *now, random = context_.rng()](store::Tx& tx) {
        return service::judge_slots(tx, *env, reading, now, random);
    };
    auto judged = co_await context_.store.run(job);
    if (!judged) {
        log_.error("slots-not-judged", {{"error", judged.error().text()}});
        co_return leave;
    }
    for (const auto& change : judged->changed)
        log_.notice("slot-tells", {{"msg", change.id.value}, {"status", to_string(change.status)}, {"reason", change.reason}});
    shared_.note(judged->changed);
    if (!judged->changed.empty()) shared_.wake_all();
    co_return std::move(judged->rulings);
}

void ModemService::slots_removed(std::vector<driver::StoredAt> slots) {
    std::ranges::move(slots, std::back_inserter(freed_));
}

/// What was learnt holds for this device with this firmware.
aio::awaitable<std::string> ModemService::storing_of(driver::Identity who) {
    auto job = [name = storing_setting(who)](store::Tx& tx) { return store::get_setting(tx, name); };
    const auto known = co_await context_.store.read(job);
    if (!known || !*known) co_return std::string{};
    const auto& text = **known;
    const auto bar = text.find('|');
    if (bar == text.npos || text.substr(bar + 1) != who.revision) co_return std::string{};
    co_return text.substr(0, bar);
}

aio::awaitable<void> ModemService::remember_storing(driver::Identity who, std::string word) {
    auto job = [name = storing_setting(who), value = word + "|" + who.revision](store::Tx& tx) { store::set_setting(tx, name, value); };
    const auto done = co_await context_.store.run(job);
    if (!done) log_.error("storing-not-remembered", {{"error", done.error().text()}});
}

}  // namespace conductor::service
