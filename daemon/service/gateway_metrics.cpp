#include "daemon/service/gateway.hpp"

namespace conductor::service {

std::string Gateway::metrics() const {
    std::string out;
    const auto sample = [&out](std::string_view name, std::string_view type, std::string_view help, auto value) {
        out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
    };
    const auto& t = shared_.tally;
    sample("conductor_submissions_total", "counter", "Parts given to a modem.", t.submitted);
    sample("conductor_accepted_total", "counter", "Parts that the network took.", t.accepted);
    sample("conductor_refused_total", "counter", "Parts refused for certain.", t.refused);
    sample("conductor_ambiguous_total", "counter", "Parts whose outcome is open.", t.ambiguous);
    sample("conductor_not_sent_total", "counter", "Submissions that never reached Ctrl-Z.", t.not_sent);
    sample("conductor_inbound_total", "counter", "Messages or parts that arrived.", t.inbound);
    sample("conductor_inbound_duplicates_total", "counter", "PDUs that were there already.", t.inbound_duplicates);
    sample("conductor_inbound_undecodable_total", "counter", "PDUs kept raw.", t.inbound_undecodable);
    sample("conductor_reports_total", "counter", "Status reports.", t.reports);
    sample("conductor_queue_open", "gauge", "Messages queued or sending.", open_);
    sample("conductor_store_jobs_total", "counter", "Jobs of the database.", context_.store.counters().jobs);
    sample("conductor_store_commits_total", "counter", "Durable commits.", context_.store.counters().commits);
    sample("conductor_store_failures_total", "counter", "Jobs that failed.", context_.store.counters().failures);
    out += "# HELP conductor_messages_total Messages that reached a status.\n# TYPE conductor_messages_total counter\n";
    for (std::size_t i = 0; i < std::size(t.ended); ++i)
        out += fmt::format("conductor_messages_total{{status=\"{}\"}} {}\n", to_string(static_cast<MessageStatus>(i)), t.ended[i]);
    out += "# HELP conductor_modem_able Whether the modem can take a message now.\n# TYPE conductor_modem_able gauge\n";
    for (const auto& modem : modems_)
        out += fmt::format("conductor_modem_able{{modem=\"{}\"}} {}\n", modem->index(), modem->able() ? 1 : 0);
    const auto family = [&out](std::string_view name, std::string_view help) {
        out += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    };
    family("conductor_modem_storage_used", "Messages in a memory of the modem.");
    for (const auto& modem : modems_)
        for (const auto& s : modem->status().storage)
            out += fmt::format("conductor_modem_storage_used{{modem=\"{}\",memory=\"{}\"}} {}\n", modem->index(), s.memory, s.used);
    family("conductor_modem_storage_total", "Messages that a memory of the modem can hold.");
    for (const auto& modem : modems_)
        for (const auto& s : modem->status().storage)
            out += fmt::format("conductor_modem_storage_total{{modem=\"{}\",memory=\"{}\"}} {}\n", modem->index(), s.memory, s.total);
    family("conductor_sim_balance", "The SIM's balance as its operator told it last.");
    for (const auto& modem : modems_)
        if (modem->balance().amount)
            out += fmt::format("conductor_sim_balance{{modem=\"{}\"}} {}\n", modem->index(), *modem->balance().amount);
    family("conductor_sim_balance_low", "1 while the balance is below its limit.");
    for (const auto& modem : modems_)
        if (modem->balance().amount)
            out += fmt::format("conductor_sim_balance_low{{modem=\"{}\"}} {}\n", modem->index(), modem->balance_low() ? 1 : 0);
    return out;
}

}  // namespace conductor::service
