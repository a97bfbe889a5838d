#include "tests/integration/sync/world.hpp"

#include <fmt/format.h>

namespace conductor::sync_test {

supabase_stack::Stack& fresh_stack() {
    static supabase_stack::Stack stack{{"--gateways", "1", "--tls"}};
    stack.reset();
    stack.realtime({{"mute", false}, {"refuse", 0}, {"drop", 0}, {"joinError", ""}, {"do", "kill"}});
    stack.token_life(3600);
    stack.postgrest(true);
    stack.sql(
        "truncate public.scheduled_messages, public.messages, public.message_events, public.gateway_commands, public.opt_outs, "
        "public.gateway_instances, public.customers restart identity cascade; "
        "delete from public.gateways where id <> 'box-1'; "
        "update public.gateways set enabled = true, pool = 'main', instance = null, max_inflight = 5000, heartbeat = null;");
    return stack;
}

sync::ClientSettings World::settings(const json& gateway) const {
    sync::ClientSettings out;
    out.url = stack.url();
    out.keys = {stack.key()};
    out.email = gateway.at("email");
    out.password = gateway.at("password");
    out.timeout = std::chrono::seconds{10};
    return out;
}

void World::schedule(int n) {
    stack.sql(
        fmt::format("insert into public.scheduled_messages (phone_number, message_content, scheduled_send_time, status) "
                    "select '+1555' || (100000 + g)::text, 'text ' || g, now(), 'scheduled' from generate_series(1, {}) g",
                    n));
}

std::string uuid(int n) {
    return fmt::format("00000000-0000-4000-8000-{:012d}", n);
}

sync::ClaimRequest claim_of(std::string request_id, int limit) {
    sync::ClaimRequest out;
    out.request_id = std::move(request_id);
    out.limit = limit;
    return out;
}

}  // namespace conductor::sync_test
