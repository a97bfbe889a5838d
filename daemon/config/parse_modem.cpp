// [[modem]] and [[route]].
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "daemon/config/sections.hpp"

namespace conductor::config {
namespace {

bool all_of(std::string_view text, std::string_view allowed) {
    return text.find_first_not_of(allowed) == std::string_view::npos;
}
constexpr std::string_view digits = "0123456789";

void read_identity(Section& s, std::string_view key, std::string& to, std::size_t least, std::size_t most) {
    std::string value;
    if (!s.text(key, value)) return;
    if (value.size() < least || value.size() > most || !all_of(value, digits))
        return s.problem(key, fmt::format("must be {} to {} digits in quotes", least, most));
    to = value;
}

/// Where a port may be: a device file, a pty, or a TCP serial server.
std::optional<std::string> port_problem(std::string_view port) {
    if (port.starts_with("/") && port.size() > 1) return std::nullopt;
    if (port.starts_with("pty:")) return port.size() > 4 ? std::nullopt : std::optional<std::string>{"\"pty:\" needs a path after it"};
    if (port.starts_with("tcp:")) {
        const auto at = parse_host_port(port.substr(4));
        return at && at->port > 0 ? std::nullopt : std::optional<std::string>{"\"tcp:\" needs HOST:PORT after it"};
    }
    return fmt::format("\"{}\" is neither \"/dev/…\" nor \"pty:PATH\" nor \"tcp:HOST:PORT\"", port);
}

void read_match(Section s, Modem& to) {
    read_identity(s, "imei", to.imei, 14, 16);
    read_identity(s, "iccid", to.iccid, 18, 20);
    read_identity(s, "imsi", to.imsi, 6, 15);
    std::string usb;
    if (s.text("usb", usb)) {
        if (usb.size() < 3 || !all_of(usb, "0123456789-.") || usb.find('-') == std::string::npos)
            s.problem("usb", "must be a USB path such as \"1-1.2\"");
        else
            to.usb = usb;
    }
    std::string port;
    if (s.text("port", port, 1000)) {
        if (const auto wrong = port_problem(port))
            s.problem("port", *wrong);
        else
            to.port = port;
    }
    s.finish();
}

void read_limits(Section& s, Modem& to) {
    s.integer("per_minute", to.per_minute, 0, 10'000'000);
    s.integer("per_hour", to.per_hour, 0, 10'000'000);
    s.integer("per_day", to.per_day, 0, 10'000'000);
    s.integer("per_month", to.per_month, 0, 10'000'000);
    s.real("cost_per_part", to.cost_per_part, 0, 10'000);
    std::string currency = to.currency;
    s.text("currency", currency);
    if (currency.size() == 3 && all_of(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        to.currency = currency;
    else
        s.problem("currency", "must be three capitals of ISO 4217, such as \"USD\"");
}

void read_classes(Section& s, std::vector<MessageClass>& to) {
    std::vector<Item> items;
    if (!s.strings("classes", items, 3)) return;
    for (const Item& item : items) {
        const auto c = parse_message_class(item.text);
        if (!c)
            s.problem("classes", fmt::format("\"{}\" is not one of marketing, transactional, reply{}", item.text,
                                             did_you_mean(item.text, {"marketing", "transactional", "reply"})));
        else if (std::find(to.begin(), to.end(), *c) == to.end())
            to.push_back(*c);
    }
}

void read_balance(Section s, Balance& to) {
    std::string ussd;
    if (s.text("ussd", ussd, 182)) {
        if (all_of(ussd, "0123456789*#+"))
            to.ussd = ussd;
        else
            s.problem("ussd", "may contain digits, '*', '#' and '+' alone");
    }
    s.duration("every", to.every, milliseconds{600'000}, days(90));
    s.text("pattern", to.pattern, 200);
    s.real("low", to.low, 0, 1e9);
    s.finish();
}

void read_reset(Section s, Modem& to) {
    s.boolean("usb", to.reset_usb);
    s.text("command", to.reset_command, 1000);
    s.finish();
}

void read_modem(Section& s, Modem& to) {
    s.integer("index", to.index, 0, 63);
    if (!s.has("index")) s.problem("index", "is missing: the number by which everything names this modem, 0 to 63");
    const bool has_match = s.has("match");
    read_match(s.table("match"), to);
    if (!has_match || (to.imei.empty() && to.iccid.empty() && to.imsi.empty() && to.usb.empty() && to.port.empty()))
        s.problem("match", "says how to find this modem: { port = \"…\" }, or imei, iccid, imsi or usb");
    read_secret(s, "pin_file", to.pin_file);
    std::string smsc;
    if (s.text("smsc", smsc)) {
        const std::string_view number = std::string_view{smsc}.substr(smsc.starts_with("+") ? 1 : 0);
        if (number.size() >= 3 && number.size() <= 20 && all_of(number, digits))
            to.smsc = smsc;
        else
            s.problem("smsc", "must be a service centre's number: '+' and 3 to 20 digits");
    }
    int baud = static_cast<int>(to.baud);
    s.integer("baud", baud, 300, 4'000'000);
    to.baud = static_cast<unsigned>(baud);
    read_limits(s, to);
    read_classes(s, to.classes);
    read_balance(s.table("balance"), to.balance);
    read_reset(s.table("reset"), to);
    s.finish();
}

}  // namespace

void read_modems(std::vector<Section> sections, std::vector<Modem>& to) {
    std::map<ModemIndex, int> line_of_index;
    std::map<std::string, ModemIndex> index_of_match;
    for (Section& s : sections) {
        Modem modem;
        read_modem(s, modem);
        if (s.has("index")) {
            const auto [earlier, is_new] = line_of_index.try_emplace(modem.index, s.line());
            if (!is_new) s.problem("index", fmt::format("{} is taken by the modem in line {}", modem.index, earlier->second));
        }
        const std::string match = fmt::format("{}|{}|{}|{}|{}", modem.imei, modem.iccid, modem.imsi, modem.usb, modem.port);
        const auto [other, is_new] = index_of_match.try_emplace(match, modem.index);
        if (match != "||||" && !is_new) s.problem("match", fmt::format("is the same as that of modem {}", other->second));
        to.push_back(std::move(modem));
    }
}

void read_routes(std::vector<Section> sections, const std::vector<Modem>& modems, std::vector<Route>& to) {
    std::set<std::string> prefixes;
    for (Section& s : sections) {
        Route route;
        s.text("prefix", route.prefix);
        if (!s.has("prefix"))
            s.problem("prefix", "is missing: '+' and the first digits of the numbers meant");
        else if (route.prefix.size() < 2 || route.prefix.size() > 16 || route.prefix[0] != '+' || !all_of(route.prefix.substr(1), digits))
            s.problem("prefix", "must be '+' and 1 to 15 digits");
        else if (!prefixes.insert(route.prefix).second)
            s.problem("prefix", fmt::format("{} has a route already", route.prefix));
        std::vector<std::int64_t> indexes;
        if (s.integers("modems", indexes, 64)) {
            for (const std::int64_t index : indexes)
                if (index < 0 || index > 63)
                    s.problem("modems", fmt::format("{} is no index of a modem: 0 to 63, 64 modems at most", index));
                else
                    route.modems.push_back(static_cast<ModemIndex>(index));
        }
        if (!s.has("modems") || indexes.empty()) s.problem("modems", "names no modem: a list of indexes, such as [0, 1]");
        for (const ModemIndex index : route.modems)
            if (std::ranges::find(modems, index, &Modem::index) == modems.end())
                s.warning("modems", fmt::format("names modem {}, which is not configured: nothing goes out by it", index));
        s.finish();
        to.push_back(std::move(route));
    }
}

}  // namespace conductor::config
