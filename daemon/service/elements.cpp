#include "daemon/service/elements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "modem/driver/modem.hpp"

namespace conductor::service {

using dispatch::Elements;
using store::AttemptRow;
using store::Tx;

namespace {

constexpr std::chrono::hours kept{24 * 30};  ///< then a plan, a network or a firmware may have changed

std::string setting_of(std::string_view iccid) {
    return fmt::format("sim.{}.left-out", iccid);
}

/// "1795543200000 report,validity": since when, and what.
Elements remembered(Tx& tx, std::string_view iccid, WallTime now) {
    const auto text = store::get_setting(tx, setting_of(iccid));
    if (!text) return {};
    std::int64_t since = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), since);
    if (error != std::errc{} || now >= from_ms(since) + kept) return {};
    return Elements::of_text(std::string_view{*text}.substr(std::min(text->size(), static_cast<std::size_t>(end - text->data()) + 1)));
}

Elements refused_in(const std::vector<AttemptRow>& tries, std::string_view iccid) {
    Elements all;
    for (const AttemptRow& a : tries)
        if (a.outcome == static_cast<int>(driver::Ending::refused) && (iccid.empty() || a.iccid == iccid))
            all = all | dispatch::blamed_by(a.reason.value_or(""));
    return all;
}

}  // namespace

std::vector<AttemptRow> tries_of(Tx& tx, const store::MessageRow& row, int seq, std::optional<std::int64_t> last) {
    auto chain = store::attempt_chain(tx, last);
    std::erase_if(chain, [&](const auto& a) { return a.seq != seq || a.started_at < row.due_at.value_or(row.timestamp); });
    return chain;
}

Elements wished(const store::MessageRow& row) {
    Elements all = Elements::validity;
    if (row.report_wanted) all = all | Elements::report;
    if (row.flash) all = all | Elements::message_class;
    return all;
}

Elements left_out(Tx& tx, const std::vector<AttemptRow>& tries, std::string_view iccid, WallTime now) {
    return remembered(tx, iccid, now) | refused_in(tries, {});
}

void remember_left_out(Tx& tx, const std::vector<AttemptRow>& tries, const AttemptRow& attempt, WallTime now) {
    const Elements proved = refused_in(tries, attempt.iccid);
    if (proved.empty() || attempt.iccid.empty()) return;
    const std::string text = (remembered(tx, attempt.iccid, now) | proved).text();
    store::set_setting(tx, setting_of(attempt.iccid), fmt::format("{} {}", to_ms(now), text));
    store::audit(tx, now, "daemon", "elements-left-out", attempt.iccid, text);
}

}  // namespace conductor::service
