// [send], [[rule]], [opt_out], [analytics]: what may go out, when, and to whom.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/config/sections.hpp"
#include "daemon/core/msisdn.hpp"
#include "daemon/core/nanp.hpp"

namespace conductor::config {
namespace {

constexpr MessageClass classes[] = {MessageClass::marketing, MessageClass::transactional, MessageClass::reply};

void read_retry(Section s, Retry& to) {
    s.duration("first", to.first, milliseconds{10}, days(1));
    s.real("factor", to.factor, 1.0, 10.0);
    s.duration("max", to.max, milliseconds{10}, days(7));
    s.real("jitter", to.jitter, 0.0, 0.9);
    if (to.max < to.first) s.problem("max", fmt::format("{} is below first, which is {}", to_text(to.max), to_text(to.first)));
    s.finish();
}

/// "hold", "resend", or a table by class.
void read_on_unknown(Section& s, std::array<OnUnknown, 3>& to) {
    const std::vector<std::string_view> words{"hold", "resend"};
    std::size_t choice = 0;
    const toml::node* n = s.node("on_unknown");
    if (!n) return;
    if (n->is_table()) {
        Section by_class = s.table("on_unknown");
        for (const MessageClass c : classes)
            if (by_class.choice(to_string(c), choice, words)) to[static_cast<std::size_t>(c)] = static_cast<OnUnknown>(choice);
        by_class.finish();
    } else if (!n->is_string()) {
        s.problem("on_unknown", s.type_message(*n, "\"hold\", \"resend\", or a table by class"));
    } else if (s.choice("on_unknown", choice, words)) {
        to.fill(static_cast<OnUnknown>(choice));
    }
}

void read_national_tables(Section& s, std::vector<std::uint8_t>& to) {
    std::vector<std::int64_t> ids;
    if (!s.integers("national_tables", ids, 13)) return;
    to.clear();
    for (const std::int64_t id : ids)
        if (id >= 1 && id <= 13)
            to.push_back(static_cast<std::uint8_t>(id));
        else
            s.problem("national_tables", fmt::format("{} is no language identifier of TS 23.038: 1 (Turkish) to 13 (Urdu)", id));
}

void read_countries(Section& s, std::vector<std::string>& to) {
    std::vector<Item> items;
    if (!s.strings("countries", items, 250)) return;
    to.clear();
    for (const Item& item : items)
        if (known_region(item.text))
            to.push_back(item.text);
        else
            s.problem("countries", fmt::format("\"{}\" is no country with a calling code: two capitals of ISO 3166", item.text));
}

/// A word to be matched against a whole text; blanks around it are no part of it.
bool word_ok(std::string_view word) {
    return !word.empty() && word.size() <= 32 && word.find_first_not_of(' ') != std::string_view::npos;
}

void read_words(Section& s, std::string_view key, std::vector<std::string>& to) {
    std::vector<Item> items;
    if (!s.strings(key, items, 64)) return;
    if (items.empty()) return s.problem(key, "needs at least one word");
    to.clear();
    for (const Item& item : items)
        if (word_ok(item.text))
            to.push_back(item.text);
        else
            s.problem(key, "each word must have 1 to 32 octets");
}

/// {brand} is the one variable that an answer may contain.
void read_answer(Section& s, std::string_view key, std::string& to) {
    std::string text;
    if (!s.text(key, text, 600)) return;
    if (text.empty()) return s.problem(key, "is empty: people who write STOP, START or HELP must get an answer");
    for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1))
        if (text.compare(at, 7, "{brand}") != 0) return s.problem(key, "only the variable {brand} is allowed");
    to = text;
}

}  // namespace

void read_send(Section s, Send& to) {
    s.window("window", to.window);
    s.days("days", to.days);
    s.dates("holidays", to.holidays);
    s.integer("max_attempts", to.max_attempts, 1, 100);
    read_retry(s.table("retry"), to.retry);
    s.duration("expire_after", to.expire_after, milliseconds{1000}, days(441));
    std::size_t choice = 0;
    if (s.choice("late", choice, {"next-window", "expire"})) to.late = static_cast<Late>(choice);
    s.boolean("delivery_reports", to.delivery_reports);
    read_on_unknown(s, to.on_unknown);
    if (s.choice("journal", choice, {"host", "modem"})) to.journal = static_cast<Journal>(choice);
    s.boolean("transliterate", to.transliterate);
    read_national_tables(s, to.national_tables);
    s.integer("max_segments", to.max_segments, 1, 255);
    s.duration("per_recipient_gap", to.per_recipient_gap, milliseconds{0}, days(7));
    Section caps = s.table("per_recipient");
    caps.integer("per_day", to.per_recipient_day, 0, 1000);
    caps.integer("per_week", to.per_recipient_week, 0, 1000);
    caps.finish();
    s.duration("duplicate_window", to.duplicate_window, milliseconds{0}, days(30));
    s.integer("daily_budget", to.daily_budget, 0, 10'000'000);
    read_countries(s, to.countries);
    s.finish();
}

void read_rules(std::vector<Section> sections, std::vector<Rule>& to) {
    for (Section& s : sections) {
        Rule rule;
        s.text("state", rule.state);
        if (!s.has("state"))
            s.problem("state", "is missing: the state whose law this is");
        else if (!rule.state.empty() && !is_state(rule.state))
            s.problem("state", fmt::format("\"{}\" is no state, territory or province: two capitals, such as \"FL\"", rule.state));
        Window window{0, 1440};
        s.window("window", window);
        if (s.has("window")) rule.window = window;
        Days days = 0;
        if (s.days("days", days)) rule.days = days;
        s.dates("holidays", rule.holidays);
        int per_day = 0;
        s.integer("per_day", per_day, 0, 1000);
        if (s.has("per_day")) rule.per_day = per_day;
        s.finish();
        to.push_back(std::move(rule));
    }
}

void read_opt_out(Section s, OptOut& to) {
    s.boolean("require_consent", to.require_consent);
    s.text("brand", to.brand, 64);
    read_words(s, "stop", to.stop);
    read_words(s, "start", to.start);
    read_words(s, "help", to.help);
    read_answer(s, "confirm", to.confirm);
    read_answer(s, "help_text", to.help_text);
    read_answer(s, "start_text", to.start_text);
    for (const std::string& word : to.stop) {
        if (std::find(to.start.begin(), to.start.end(), word) != to.start.end())
            s.problem("start", fmt::format("\"{}\" also stands in stop", word));
        if (std::find(to.help.begin(), to.help.end(), word) != to.help.end())
            s.problem("help", fmt::format("\"{}\" also stands in stop", word));
    }
    s.finish();
}

void read_analytics(Section s, Analytics& to) {
    Section weights = s.table("weights");
    weights.real("urgency", to.weights.urgency, -100, 100);
    weights.real("value", to.weights.value, -100, 100);
    weights.real("campaign", to.weights.campaign, -100, 100);
    weights.real("response", to.weights.response, -100, 100);
    weights.real("fatigue", to.weights.fatigue, -100, 100);
    weights.finish();
    const Weights& w = to.weights;
    if (w.urgency == 0 && w.value == 0 && w.campaign == 0 && w.response == 0 && w.fatigue == 0)
        s.problem("weights", "are all 0, so that nothing would have a priority");
    Section visits = s.table("vip_visits");
    visits.integer("vip", to.vip, 1, 100'000);
    visits.integer("regular", to.regular, 1, 100'000);
    visits.integer("casual", to.casual, 1, 100'000);
    visits.finish();
    if (!(to.vip > to.regular && to.regular > to.casual)) s.problem("vip_visits", "must fall: vip above regular above casual");
    Section churn = s.table("churn_days");
    churn.integer("medium", to.churn_medium, 1, 3650);
    churn.integer("high", to.churn_high, 1, 3650);
    churn.integer("critical", to.churn_critical, 1, 3650);
    churn.finish();
    if (!(to.churn_medium < to.churn_high && to.churn_high < to.churn_critical))
        s.problem("churn_days", "must rise: medium below high below critical");
    s.finish();
}

}  // namespace conductor::config
