#include "daemon/dispatch/policy.hpp"

#include <algorithm>
#include <set>

#include "daemon/core/calling_codes.hpp"
#include "daemon/core/msisdn.hpp"
#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/places.hpp"
#include "daemon/dispatch/send_hours.hpp"

namespace conductor::dispatch {
namespace {

using config::Config;
using std::chrono::hours;
using std::chrono::milliseconds;

constexpr hours day{24}, week{7 * 24};

Decision send() {
    return {};
}
Decision wait(WallTime until, std::string reason, std::string detail = {}) {
    return {.ruling = Ruling::wait, .not_before = until, .reason = std::move(reason), .detail = std::move(detail)};
}
Decision refuse(MessageStatus as, std::string reason) {
    return {.ruling = Ruling::refuse, .refused_as = as, .reason = std::move(reason)};
}

/// States that the address and the number name; both bind.
std::vector<std::string_view> states_of(const Facts& facts) {
    std::vector<std::string_view> out;
    if (facts.state && is_state(*facts.state)) out.push_back(*facts.state);
    const std::string_view by_number = state_of_number(facts.phone_number);
    if (!by_number.empty() && (out.empty() || out.front() != by_number)) out.push_back(by_number);
    return out;
}

/// Every zone that the recipient may be in: that of the address and those of the number. The box's own where nothing is known.
std::vector<const date::time_zone*> zones_of(const Config& config, const Facts& facts) {
    std::set<std::string_view> names;
    if (facts.time_zone && zone_named(*facts.time_zone)) {
        names.insert(*facts.time_zone);
    } else if (facts.state) {
        for (const std::string_view name : zones_of_state(*facts.state)) names.insert(name);
    }
    for (const std::string_view name : zones_of_number(facts.phone_number)) names.insert(name);
    std::vector<const date::time_zone*> out;
    for (const std::string_view name : names)
        if (const auto* zone = zone_named(name)) out.push_back(zone);
    if (out.empty())
        if (const auto* zone = zone_named(config.gateway.time_zone)) out.push_back(zone);
    return out;
}

/// The calendars that the law of the recipient's states adds.
std::vector<Hours> hours_of_law(const Config& config, const std::vector<std::string_view>& states) {
    std::vector<Hours> out;
    for (const std::string_view state : states) {
        for (const config::Rule& rule : config.rules)
            if (rule.state == state && (rule.window || rule.days || !rule.holidays.empty()))
                out.push_back(hours_of(rule.days.value_or(0b1111111), rule.window.value_or(config::Window{0, 1440}), rule.holidays));
        if (!is_us_state(state)) continue;
        for (const std::string_view of : {std::string_view{}, state}) {
            Hours law;
            bool any = false;
            for (const PlaceRule& rule : us_rules()) {
                if (rule.state != of) continue;
                any = true;
                for (std::size_t i = 0; i < law.week.size(); ++i)
                    if (rule.days >> i & 1) law.week[i] = rule.window;
                law.federal_holidays = law.federal_holidays || rule.holidays_closed;
            }
            if (any) out.push_back(std::move(law));
        }
    }
    return out;
}

SendHours send_hours(const Config& config, const Facts& facts) {
    SendHours out;
    const std::vector<Hours> law = hours_of_law(config, states_of(facts));
    for (const auto* zone : zones_of(config, facts)) {
        out.add(zone, hours_of(config.send.days, config.send.window, config.send.holidays));
        for (const Hours& h : law) out.add(zone, h);
    }
    return out;
}

/// The lowest of the daily caps that bind; 0 = none.
int daily_cap(const Config& config, const Facts& facts) {
    int cap = config.send.per_recipient_day;
    const auto bind = [&](int other) {
        if (other > 0 && (cap == 0 || other < cap)) cap = other;
    };
    for (const std::string_view state : states_of(facts)) {
        for (const config::Rule& rule : config.rules)
            if (rule.state == state) bind(rule.per_day.value_or(0));
        for (const PlaceRule& rule : us_rules())
            if (rule.state == state) bind(rule.per_day);
    }
    return cap;
}

struct Hold {
    WallTime until;
    std::string_view reason;
};
/// What was sent lately binds a message that is due at `from` until when? The longest of gap, caps and budget.
Hold recent_limits(const Config& config, const Facts& facts, WallTime from, WallTime now) {
    Hold hold{from, {}};
    const auto longer = [&](WallTime until, std::string_view reason) {
        if (until > hold.until) hold = {until, reason};
    };
    if (facts.last_sent) longer(*facts.last_sent + config.send.per_recipient_gap, "per-recipient-gap");
    // there is room again when the one that fills the cap, counted from the newest, has left the rolling window
    const auto cap = [&](int most, hours length) {
        if (most > 0 && facts.contacts.size() >= static_cast<std::size_t>(most))
            longer(facts.contacts[static_cast<std::size_t>(most) - 1] + length, "per-recipient-cap");
    };
    cap(daily_cap(config, facts), day);
    cap(config.send.per_recipient_week, week);
    if (config.send.daily_budget > 0 && facts.budget_used_today >= config.send.daily_budget) {
        const auto* zone = zone_named(config.gateway.time_zone);
        longer(zone ? next_midnight(zone, now) : now + hours{1}, "daily-budget");  // what is due behind that has another day's
    }
    return hold;
}

/// late = "expire": the window in which it was due, or the first one after that, has closed.
bool is_late(const SendHours& schedule, const Facts& facts, WallTime now) {
    const auto opened = schedule.next_open(facts.due);
    if (!opened || *opened > now) return false;
    const auto closed = schedule.next_closed(*opened);
    return closed && *closed <= now;
}

Decision decide_marketing(const Config& config, const Facts& facts, WallTime now) {
    if (config.opt_out.require_consent && !facts.consented) return refuse(MessageStatus::suppressed, "no-consent");
    const SendHours schedule = send_hours(config, facts);
    if (schedule.empty()) return wait(now + std::chrono::hours{1}, "no-time-zone");
    if (config.send.late == config::Late::expire && is_late(schedule, facts, now)) return refuse(MessageStatus::expired, "late");
    const WallTime from = std::max(now, facts.due);
    const Hold hold = facts.before == Facts::Before::out ? Hold{from, {}} : recent_limits(config, facts, from, now);
    const auto open = schedule.next_open(hold.until);
    if (!open) return refuse(MessageStatus::suppressed, "no-window");
    if (*open <= now) return send();
    std::string_view reason = "quiet-hours";
    if (!hold.reason.empty() && (*open == hold.until || schedule.open_at(now))) reason = hold.reason;
    if (facts.due > now && *open == facts.due) reason = "not-due";
    return wait(*open, std::string{reason});
}

/// Who has to do what, so that a set goes on behind the message that failed.
std::string what_mends(const Facts& facts) {
    const std::string id = std::to_string(facts.before_id.value);
    if (facts.before_job)
        return "message " + id + " is row " + std::to_string(*facts.before_job) +
               " of scheduled_messages: schedule that one again in Supabase";
    return "retry message " + id + " (conductorctl queue retry " + id + ")";
}

/// The order of a set, and a pause of its campaign; nothing where neither binds.
std::optional<Decision> set_or_campaign(const Facts& facts, WallTime now) {
    if (facts.campaign_paused) return wait(now + day, "campaign-paused");
    switch (facts.before) {
        case Facts::Before::none: return std::nullopt;
        // looked at as soon as that one is out, fails, or waits again
        case Facts::Before::open: return wait(now + hours{1}, "set-order", std::to_string(facts.before_id.value));
        case Facts::Before::failed: return wait(now + hours{1}, "set-stopped", what_mends(facts));
        case Facts::Before::out: break;
    }
    const WallTime next = facts.before_at.value_or(WallTime{}) + milliseconds{facts.set_gap_ms};
    return next > now ? std::optional{wait(next, "set-order")} : std::nullopt;
}

Decision decide_any(const Config& config, const Facts& facts, WallTime now) {
    if (facts.expires && now >= *facts.expires) return refuse(MessageStatus::expired, "expired");
    if (opt_out_binds(facts)) return refuse(MessageStatus::suppressed, "opted-out");
    if (facts.message_class != MessageClass::reply) {
        if (std::string word = refused_number(config, facts.phone_number); !word.empty())
            return refuse(MessageStatus::suppressed, std::move(word));
        if (auto held = set_or_campaign(facts, now)) return *std::move(held);
    }
    if (facts.behind_until && *facts.behind_until > now) return wait(*facts.behind_until, "recipient-order");
    if (facts.message_class == MessageClass::marketing) return decide_marketing(config, facts, now);
    return facts.due > now ? wait(facts.due, "not-due") : send();
}

}  // namespace

Decision decide(const Config& config, const Facts& facts, WallTime now) {
    Decision d = decide_any(config, facts, now);
    if (d.ruling != Ruling::wait) return d;
    if (d.reason != "campaign-paused" && !d.reason.starts_with("set-") && d.reason != "recipient-order")
        if (const auto* zone = zone_named(config.gateway.time_zone)) d.detail = local_text(zone, d.not_before);
    if (facts.expires) d.not_before = std::min(d.not_before, *facts.expires);
    return d;
}

bool opt_out_binds(const Facts& facts) {
    if (!facts.opted_out || facts.own_answer) return false;
    if (facts.message_class != MessageClass::reply) return true;
    return !facts.answers_inbound_at || (facts.opted_out_at && *facts.answers_inbound_at <= *facts.opted_out_at);
}

WallTime expiry_of(const Config& config, const Facts& facts, milliseconds expire_after) {
    if (facts.message_class != MessageClass::marketing) return facts.due + expire_after;
    const SendHours schedule = send_hours(config, facts);
    return schedule.next_open(facts.due).value_or(facts.due) + expire_after;
}

std::string refused_number(const Config& config, const std::string& phone_number) {
    const auto number = parse_msisdn(phone_number, config.gateway.region);
    if (!number) return number.error().is(NumberErrc::premium) ? "premium-number" : "bad-number";
    const auto& countries = config.send.countries;
    if (number->short_code || countries.empty()) return {};
    const auto allowed = [&](std::string_view region) { return std::find(countries.begin(), countries.end(), region) != countries.end(); };
    const auto region = region_of(number->text);
    if (region && allowed(*region)) return {};
    const CallingCode* plan = find_calling_code(std::string_view{number->text}.substr(1));
    if (plan && plan->code != 1 && plan->code != 7) {  // countries that share a code and cannot be told apart here
        for (std::size_t at = 0; at + 2 <= plan->regions.size(); at += 3)
            if (allowed(plan->regions.substr(at, 2))) return {};
    }
    return "country-not-allowed";
}

}  // namespace conductor::dispatch
