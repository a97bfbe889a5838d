// [gateway], [discovery], [http], [supabase], [webhook], [alarms], [retention], [log]: the box and what it talks to.
#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/config/sections.hpp"
#include "daemon/core/msisdn.hpp"

namespace conductor::config {
namespace {

bool is_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), allowed);
}

void read_name(Section& s, std::string_view key, std::string& to) {
    std::string name;
    if (!s.text(key, name)) return;
    if (!is_name(name)) return s.problem(key, "must be 1 to 64 letters, digits, '.', '_' or '-'");
    to = name;
}

void read_path(Section& s, std::string_view key, std::string& to, std::size_t most) {
    std::string path;
    if (!s.text(key, path, most)) return;
    if (path.empty()) return s.problem(key, "is empty, but must be a path");
    to = path;
}

bool zone_exists(const std::string& name) {
    try {  // the library knows no other way to ask
        return date::locate_zone(name) != nullptr;
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace

void read_gateway(Section s, Gateway& to) {
    read_name(s, "id", to.id);
    if (s.present() && !s.has("id")) s.problem("id", "is missing: a name for this box, unique in its pool");
    read_name(s, "pool", to.pool);
    read_path(s, "database", to.database, 4000);
    read_path(s, "socket", to.socket, 107);
    std::string region = to.region;
    if (s.text("region", region)) {
        if (known_region(region))
            to.region = region;
        else
            s.problem("region", fmt::format("\"{}\" is no country with a calling code: two capitals of ISO 3166, such as \"US\"", region));
    }
    std::string zone = to.time_zone;
    if (s.text("time_zone", zone)) {
        if (zone_exists(zone))
            to.time_zone = zone;
        else
            s.problem("time_zone", fmt::format("\"{}\" is not in this system's tzdata: a name such as \"America/Los_Angeles\"", zone));
    }
    s.integer("queue_limit", to.queue_limit, 1, 100'000'000);
    s.finish();
}

void read_discovery(Section s, Discovery& to) {
    std::vector<Item> items;
    if (s.strings("scan", items, 32)) {
        to.scan.clear();
        for (const Item& item : items)
            if (item.text == "serial" || (item.text.starts_with("pty:") && item.text.size() > 4))
                to.scan.push_back(item.text);
            else
                s.problem("scan", fmt::format("\"{}\" is neither \"serial\" nor \"pty:FOLDER\" nor \"pty:FOLDER/*\"", item.text));
    }
    s.finish();
}

std::optional<HostPort> parse_host_port(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    int value = -1;
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (ec != std::errc{} || end != port.data() + port.size() || value < 0 || value > 65535 || port.size() > 5) return std::nullopt;
    if (host.front() == '[') {
        if (host.size() < 4 || host.back() != ']') return std::nullopt;
        host = host.substr(1, host.size() - 2);
        if (host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return std::nullopt;
    } else if (host.find_first_of(":/[] \t") != std::string_view::npos) {
        return std::nullopt;
    }
    return HostPort{std::string{host}, value};
}

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1") return true;
    return host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
           host.find_first_not_of("0123456789.") == std::string_view::npos;
}

void read_secret(Section& s, std::string_view key, std::string& to) {
    std::string name;
    if (!s.text(key, name, 4000)) return;
    if (!name.empty() && name.front() != '/' && !is_name(name))
        return s.problem(key, "must be the name of a credential (no '/'), or an absolute path");
    to = name;
}

void read_http(Section s, Http& to) {
    std::string listen;
    const bool has_listen = s.text("listen", listen);
    read_secret(s, "token_file", to.token_file);
    read_secret(s, "tls_cert_file", to.tls_cert_file);
    read_secret(s, "tls_key_file", to.tls_key_file);
    if (s.present() && !s.has("listen")) s.problem("listen", "is missing: HOST:PORT, such as \"127.0.0.1:8026\"");
    if (s.present() && to.token_file.empty()) s.problem("token_file", "is missing: TCP always requires a token");
    const bool tls = !to.tls_cert_file.empty() && !to.tls_key_file.empty();
    if (to.tls_cert_file.empty() != to.tls_key_file.empty()) s.problem("tls_cert_file", "needs tls_key_file beside it, and the reverse");
    if (has_listen) {
        const auto at = parse_host_port(listen);
        if (!at)
            s.problem("listen", fmt::format("\"{}\" is not HOST:PORT ([HOST]:PORT for IPv6)", listen));
        else if (!is_loopback(at->host) && !tls)
            s.problem("listen", fmt::format("{} is no loopback address, which requires tls_cert_file and tls_key_file", at->host));
        else
            to.listen = listen;
    }
    s.finish();
}

void read_url(Section& s, std::string_view key, std::string& to) {
    std::string url;
    if (!s.text(key, url, 2000)) return;
    const bool https = url.starts_with("https://"), http = url.starts_with("http://");
    if (!https && !http) return s.problem(key, fmt::format("\"{}\" must begin with https://", url));
    const std::string rest = url.substr(https ? 8 : 7);
    const std::string authority = rest.substr(0, rest.find('/'));
    if (rest.find_first_of(" \t\n?#@") != std::string::npos || authority.empty())
        return s.problem(key, "must be SCHEME://HOST[:PORT][/PATH] without user, query or fragment");
    const bool with_port = authority.rfind(':') != std::string::npos && authority.back() != ']';
    const auto at = parse_host_port(with_port ? authority : authority + ":443");
    if (!at) return s.problem(key, fmt::format("\"{}\" is not HOST or HOST:PORT", authority));
    if (http && !is_loopback(at->host)) return s.problem(key, "http:// is for loopback alone; elsewhere https:// is required");
    while (url.ends_with('/')) url.pop_back();
    to = url;
}

void read_supabase(Section s, Supabase& to) {
    read_url(s, "url", to.url);
    if (s.present() && !s.has("url")) s.problem("url", "is missing: https://PROJECT.supabase.co");
    read_secret(s, "key_file", to.key_file);
    if (s.present() && to.key_file.empty()) s.problem("key_file", "is missing: the file with the publishable key");
    read_secret(s, "user_file", to.user_file);
    read_secret(s, "jwt_file", to.jwt_file);
    if (s.present() && to.user_file.empty() == to.jwt_file.empty())
        s.problem("user_file", "exactly one of user_file and jwt_file is required");
    s.boolean("realtime", to.realtime);
    s.duration("poll", to.poll, milliseconds{100}, hours(1));
    s.duration("horizon", to.horizon, milliseconds{0}, days(30));
    // 35 s before its end nothing of one part may begin; what is left must be enough to renew it in
    s.duration("lease", to.lease, milliseconds{60'000}, days(7));
    const toml::node* batch = s.node("batch");
    if (const auto* word = batch ? batch->as_string() : nullptr; word && word->get() == "auto") {
        to.batch.reset();
    } else if (batch && !batch->is_integer()) {
        s.problem("batch", s.type_message(*batch, "\"auto\" or a whole number"));
    } else if (batch) {
        int rows = 0;
        s.integer("batch", rows, 1, 1000);
        if (rows > 0) to.batch = rows;
    }
    s.finish();
}

void read_webhook(Section s, Webhook& to) {
    read_url(s, "url", to.url);
    if (s.present() && !s.has("url")) s.problem("url", "is missing: where events are POSTed");
    read_secret(s, "secret_file", to.secret_file);
    if (s.present() && to.secret_file.empty()) s.problem("secret_file", "is missing: every call is signed with it");
    s.finish();
}

void read_alarms(Section s, std::string_view region, Alarms& to) {
    std::vector<Item> items;
    if (s.strings("numbers", items, 20)) {
        for (const Item& item : items) {
            const Result<Msisdn> number = parse_msisdn(item.text, region);
            if (!number)
                s.problem("numbers",
                          fmt::format("element {} is no phone number: {}", &item - items.data() + 1, number.error().code.message()));
            else
                to.numbers.push_back(number->text);
        }
    }
    s.duration("no_inbound", to.no_inbound, milliseconds{0}, days(90));
    s.finish();
}

void read_retention(Section s, Retention& to) {
    s.duration("messages", to.messages, hours(1), days(3660));
    s.duration("raw_pdus", to.raw_pdus, hours(1), days(3660));
    s.duration("flight", to.flight, hours(1), days(3660));
    s.duration("backups", to.backups, hours(1), days(3660));
    s.finish();
}

void read_logging(Section s, Logging& to) {
    std::size_t level = 0;
    if (s.choice("level", level, {"error", "warning", "notice", "info", "debug"})) to.level = static_cast<int>(level) + 3;
    s.boolean("personal_data", to.personal_data);
    s.finish();
}

}  // namespace conductor::config
