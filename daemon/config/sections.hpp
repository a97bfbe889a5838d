#pragma once
// One function per table of the file. Each reads its keys, checks them one by one and together, and reports unknown ones.
#include "daemon/config/reader.hpp"

namespace conductor::config {

void read_gateway(Section section, Gateway& to);
void read_discovery(Section section, Discovery& to);
void read_http(Section section, Http& to);
void read_send(Section section, Send& to);
void read_rules(std::vector<Section> sections, std::vector<Rule>& to);
void read_opt_out(Section section, OptOut& to);
void read_analytics(Section section, Analytics& to);
void read_modems(std::vector<Section> sections, std::vector<Modem>& to);
/// A route may name a modem that this box does not have (yet): it then never applies, and doctor says so.
void read_routes(std::vector<Section> sections, const std::vector<Modem>& modems, std::vector<Route>& to);
void read_supabase(Section section, Supabase& to);
void read_webhook(Section section, Webhook& to);
void read_alarms(Section section, std::string_view region, Alarms& to);
void read_retention(Section section, Retention& to);
void read_logging(Section section, Logging& to);

/// A `*_file` key: the name of a credential, or an absolute path.
void read_secret(Section& section, std::string_view key, std::string& to);
/// "https://HOST[:PORT][/PATH]", or http:// for a loopback host; a trailing slash is dropped.
void read_url(Section& section, std::string_view key, std::string& to);

struct HostPort {
    std::string host;  ///< without the brackets of IPv6
    int port = 0;
};
std::optional<HostPort> parse_host_port(std::string_view text);
/// 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);

constexpr milliseconds hours(std::int64_t n) {
    return milliseconds{n * 3'600'000};
}
constexpr milliseconds days(std::int64_t n) {
    return hours(n * 24);
}

}  // namespace conductor::config
