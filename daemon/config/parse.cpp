// The whole file: which tables there are, what is required of them together, and how a file that is no TOML is reported.
#include <fmt/format.h>

#include "daemon/config/sections.hpp"

namespace conductor::config {
namespace {

void read_root(Section root, Config& c) {
    const bool has_gateway = root.has("gateway");
    read_gateway(root.table("gateway"), c.gateway);
    if (!has_gateway) root.problem("gateway", "is missing: [gateway] with id = \"…\" names this box");
    read_discovery(root.table("discovery"), c.discovery);
    if (root.has("http")) read_http(root.table("http"), c.http.emplace());
    read_send(root.table("send"), c.send);
    read_rules(root.tables("rule", 256), c.rules);
    read_opt_out(root.table("opt_out"), c.opt_out);
    read_analytics(root.table("analytics"), c.analytics);
    read_modems(root.tables("modem", 256), c.modems);
    read_routes(root.tables("route", 256), c.modems, c.routes);
    if (root.has("supabase")) read_supabase(root.table("supabase"), c.supabase.emplace());
    if (root.has("webhook")) read_webhook(root.table("webhook"), c.webhook.emplace());
    read_alarms(root.table("alarms"), c.gateway.region, c.alarms);
    read_retention(root.table("retention"), c.retention);
    read_logging(root.table("log"), c.log);
    for (const char* optional : {"http", "supabase", "webhook"}) root.node(optional);
    root.finish();
}

}  // namespace

std::string Problem::text() const {
    return fmt::format("{}:{}: {}{}{}", file, line, key, key.empty() ? "" : ": ", message);
}

Loaded parse(std::string_view toml, std::string file) {
    Loaded out;
    Report report{std::move(file), {}};
    try {  // toml++ as Debian builds it reports a syntax error by throwing
        const toml::table root = toml::parse(toml);
        read_root(Section{report, &root, "", 1}, out.config);
    } catch (const toml::parse_error& e) {
        report.add(static_cast<int>(e.source().begin.line), "", fmt::format("not TOML: {}", e.description()));
    }
    out.problems = std::move(report.problems);
    out.warnings = std::move(report.warnings);
    return out;
}

}  // namespace conductor::config
