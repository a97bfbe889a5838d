#pragma once
// The subcommands that talk to the daemon. Each answers its exit code; the command line is parsed in app.cpp.
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/ids.hpp"
#include "tools/conductorctl/session.hpp"

namespace conductor::ctl {

struct SendOptions {
    std::string to, text, file;
    std::string key, at, message_class = "transactional", expire_after, on_unknown;
    std::optional<double> priority;
    std::optional<int> modem_index;
    std::optional<std::int64_t> in_reply_to;
    bool report = false, flash = false, consent = false;
};
int send(Session& session, const SendOptions& options);
int send_file(Session& session, const SendOptions& options);

struct ListOptions {
    std::string status, to;
    std::optional<std::int64_t> after;
    int limit = 50;
};
int queue_list(Session& session, const ListOptions& options);
int inbox_list(Session& session, const ListOptions& options);
int message_show(Session& session, std::int64_t id);
/// What /explain says, for people: state, reason, what blocks it, what happens next, attempts.
int why(Session& session, std::int64_t id);
/// As why, with the parts of the priority.
int queue_explain(Session& session, std::int64_t id);
/// action: cancel, retry, read
int message_action(Session& session, std::int64_t id, const std::string& action);
/// The whole queue, one campaign, or one modem.
int queue_pause(Session& session, bool paused, const std::string& campaign, std::optional<ModemIndex> modem);

int status(Session& session);
int modem_list(Session& session);
int modem_show(Session& session, int index);
int modem_action(Session& session, int index, const std::string& action);
int modem_at(Session& session, int index, const std::string& command);
int modem_ussd(Session& session, int index, const std::string& code);
int modem_trace(Session& session, int index);
/// `config_file` says where to look when no daemon runs.
int modem_discover(Session& session, const std::string& config_file);
int modem_probe(Session& session, const std::string& port);

int opt_out_list(Session& session);
int opt_out_set(Session& session, const std::string& number, bool active, const std::string& reason);
int sync_status(Session& session);
int sync_now(Session& session);

/// `config` names the file in which the database is named. Exit 1 where the database has problems.
int db_check(Session& session, const std::string& config);
int db_backup(Session& session, const std::string& config, const std::string& file);
int db_restore(Session& session, const std::string& config, const std::string& file);
/// Through the daemon; on the file itself where none runs.
int db_release(Session& session, const std::string& config);

int config_check(Session& session, const std::string& file);
int config_show(Session& session, const std::string& file);

}  // namespace conductor::ctl
