// The configuration out again: as JSON for people, and compared with another for a reload.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/config/reader.hpp"

namespace conductor::config {
namespace {

using Json = nlohmann::ordered_json;

Json days_json(Days days) {
    Json out = Json::array();
    for (std::size_t i = 0; i < std::size(day_names); ++i)
        if (days >> i & 1) out.push_back(day_names[i]);
    return out;
}

Json dates_json(const std::vector<Date>& dates) {
    Json out = Json::array();
    for (const Date& d : dates) out.push_back(to_text(d));
    return out;
}

Json auto_or(const std::optional<milliseconds>& d) {
    return d ? Json(to_text(*d)) : Json("auto");
}

Json send_json(const Send& s) {
    Json out;
    out["window"] = to_text(s.window);
    out["days"] = days_json(s.days);
    out["holidays"] = dates_json(s.holidays);
    out["max_attempts"] = s.max_attempts;
    out["retry"]["first"] = to_text(s.retry.first);
    out["retry"]["factor"] = s.retry.factor;
    out["retry"]["max"] = to_text(s.retry.max);
    out["retry"]["jitter"] = s.retry.jitter;
    out["expire_after"] = to_text(s.expire_after);
    out["late"] = s.late == Late::expire ? "expire" : "next-window";
    out["delivery_reports"] = s.delivery_reports;
    for (const MessageClass c : {MessageClass::marketing, MessageClass::transactional, MessageClass::reply})
        out["on_unknown"][std::string{to_string(c)}] = to_string(s.on_unknown[static_cast<std::size_t>(c)]);
    out["journal"] = s.journal == Journal::modem ? "modem" : "host";
    out["transliterate"] = s.transliterate;
    out["national_tables"] = s.national_tables;
    out["max_segments"] = s.max_segments;
    out["per_recipient_gap"] = to_text(s.per_recipient_gap);
    out["per_recipient"]["per_day"] = s.per_recipient_day;
    out["per_recipient"]["per_week"] = s.per_recipient_week;
    out["duplicate_window"] = to_text(s.duplicate_window);
    out["daily_budget"] = s.daily_budget;
    out["countries"] = s.countries;
    return out;
}

Json rules_json(const std::vector<Rule>& rules) {
    Json out = Json::array();
    for (const Rule& r : rules) {
        Json row;
        row["state"] = r.state;
        if (r.window) row["window"] = to_text(*r.window);
        if (r.days) row["days"] = days_json(*r.days);
        if (!r.holidays.empty()) row["holidays"] = dates_json(r.holidays);
        if (r.per_day) row["per_day"] = *r.per_day;
        out.push_back(std::move(row));
    }
    return out;
}

Json opt_out_json(const OptOut& o) {
    Json out;
    out["require_consent"] = o.require_consent;
    out["brand"] = o.brand;
    out["stop"] = o.stop;
    out["start"] = o.start;
    out["help"] = o.help;
    out["confirm"] = o.confirm;
    out["help_text"] = o.help_text;
    out["start_text"] = o.start_text;
    return out;
}

Json analytics_json(const Analytics& a) {
    Json out;
    out["weights"]["urgency"] = a.weights.urgency;
    out["weights"]["value"] = a.weights.value;
    out["weights"]["campaign"] = a.weights.campaign;
    out["weights"]["response"] = a.weights.response;
    out["weights"]["fatigue"] = a.weights.fatigue;
    out["vip_visits"]["vip"] = a.vip;
    out["vip_visits"]["regular"] = a.regular;
    out["vip_visits"]["casual"] = a.casual;
    out["churn_days"]["medium"] = a.churn_medium;
    out["churn_days"]["high"] = a.churn_high;
    out["churn_days"]["critical"] = a.churn_critical;
    return out;
}

Json modem_json(const Modem& m) {
    Json out;
    out["index"] = m.index;
    for (const auto& [key, value] :
         {std::pair{"imei", &m.imei}, {"iccid", &m.iccid}, {"imsi", &m.imsi}, {"usb", &m.usb}, {"port", &m.port}})
        if (!value->empty()) out["match"][key] = *value;
    out["pin_file"] = m.pin_file;
    out["smsc"] = m.smsc;
    out["baud"] = m.baud;
    out["per_minute"] = m.per_minute;
    out["per_hour"] = m.per_hour;
    out["per_day"] = m.per_day;
    out["per_month"] = m.per_month;
    out["cost_per_part"] = m.cost_per_part;
    out["currency"] = m.currency;
    out["classes"] = Json::array();
    for (const MessageClass c : m.classes) out["classes"].push_back(to_string(c));
    out["balance"]["ussd"] = m.balance.ussd;
    out["balance"]["every"] = to_text(m.balance.every);
    out["balance"]["pattern"] = m.balance.pattern;
    out["balance"]["low"] = m.balance.low;
    out["reset"]["usb"] = m.reset_usb;
    out["reset"]["command"] = m.reset_command;
    return out;
}

Json supabase_json(const Supabase& s) {
    Json out;
    out["url"] = s.url;
    out["key_file"] = s.key_file;
    out["user_file"] = s.user_file;
    out["jwt_file"] = s.jwt_file;
    out["realtime"] = s.realtime;
    out["poll"] = to_text(s.poll);
    out["horizon"] = auto_or(s.horizon);
    out["lease"] = auto_or(s.lease);
    out["batch"] = s.batch ? Json(*s.batch) : Json("auto");
    return out;
}

Json gateway_json(const Gateway& g) {
    Json out;
    out["id"] = g.id;
    out["pool"] = g.pool;
    out["database"] = g.database;
    out["socket"] = g.socket;
    out["region"] = g.region;
    out["time_zone"] = g.time_zone;
    out["queue_limit"] = g.queue_limit;
    return out;
}

/// The part of a modem that its open port depends on.
Modem identity_of(const Modem& m) {
    Modem out;
    out.index = m.index;
    out.imei = m.imei;
    out.iccid = m.iccid;
    out.imsi = m.imsi;
    out.usb = m.usb;
    out.port = m.port;
    out.pin_file = m.pin_file;
    out.smsc = m.smsc;
    out.baud = m.baud;
    return out;
}

bool same_modems(const std::vector<Modem>& a, const std::vector<Modem>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Modem& x, const Modem& y) { return identity_of(x) == identity_of(y); });
}

/// The part of [supabase] that its client is built on.
std::optional<std::array<std::string, 4>> identity_of(const std::optional<Supabase>& s) {
    if (!s) return std::nullopt;
    return std::array{s->url, s->key_file, s->user_file, s->jwt_file};
}

}  // namespace

std::string show(const Config& c) {
    Json out;
    out["gateway"] = gateway_json(c.gateway);
    out["discovery"]["scan"] = c.discovery.scan;
    if (c.http) {
        out["http"]["listen"] = c.http->listen;
        out["http"]["token_file"] = c.http->token_file;
        out["http"]["tls_cert_file"] = c.http->tls_cert_file;
        out["http"]["tls_key_file"] = c.http->tls_key_file;
    }
    out["send"] = send_json(c.send);
    out["rule"] = rules_json(c.rules);
    out["opt_out"] = opt_out_json(c.opt_out);
    out["analytics"] = analytics_json(c.analytics);
    out["modem"] = Json::array();
    for (const Modem& m : c.modems) out["modem"].push_back(modem_json(m));
    out["route"] = Json::array();
    for (const Route& r : c.routes) {
        Json row;
        row["prefix"] = r.prefix;
        row["modems"] = r.modems;
        out["route"].push_back(std::move(row));
    }
    if (c.supabase) out["supabase"] = supabase_json(*c.supabase);
    if (c.webhook) out["webhook"]["url"] = c.webhook->url, out["webhook"]["secret_file"] = c.webhook->secret_file;
    out["alarms"]["numbers"] = c.alarms.numbers;
    out["alarms"]["no_inbound"] = to_text(c.alarms.no_inbound);
    out["retention"]["messages"] = to_text(c.retention.messages);
    out["retention"]["raw_pdus"] = to_text(c.retention.raw_pdus);
    out["retention"]["flight"] = to_text(c.retention.flight);
    out["retention"]["backups"] = to_text(c.retention.backups);
    constexpr const char* levels[] = {"error", "warning", "notice", "info", "debug"};
    out["log"]["level"] = levels[std::clamp(c.log.level, 3, 7) - 3];
    out["log"]["personal_data"] = c.log.personal_data;
    return out.dump(2);
}

std::vector<std::string> needs_restart(const Config& running, const Config& wanted) {
    std::vector<std::string> out;
    if (running.gateway != wanted.gateway) out.emplace_back("gateway");
    if (running.discovery != wanted.discovery) out.emplace_back("discovery");
    if (running.http != wanted.http) out.emplace_back("http");
    if (running.send.journal != wanted.send.journal) out.emplace_back("send");
    if (!same_modems(running.modems, wanted.modems)) out.emplace_back("modem");
    if (identity_of(running.supabase) != identity_of(wanted.supabase)) out.emplace_back("supabase");
    if (running.webhook != wanted.webhook) out.emplace_back("webhook");
    if (running.log != wanted.log) out.emplace_back("log");
    return out;
}

bool is_pin(std::string_view pin) {
    return pin.size() >= 4 && pin.size() <= 8 && std::ranges::all_of(pin, [](char c) { return c >= '0' && c <= '9'; });
}

std::string secret_path(std::string_view file, std::string_view credentials_directory) {
    if (file.empty() || file.front() == '/') return std::string{file};
    std::string out{credentials_directory};
    if (!out.empty() && !out.ends_with('/')) out += '/';
    out += file;
    return out;
}

}  // namespace conductor::config
