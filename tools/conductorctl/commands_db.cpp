// conductorctl db: the database as a file. Only `release` asks a running daemon.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/config/config.hpp"
#include "daemon/store/db_file.hpp"
#include "daemon/store/sqlite.hpp"
#include "tools/conductorctl/commands.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

/// The path of the database that the configuration names; without one the exit code is set and the error told.
std::optional<std::string> database_of(Session& session, const std::string& file) {
    const auto text = read_file(file);
    if (!text) {
        session.code = session.fail(not_found, "not-found", "cannot read " + file);
        return std::nullopt;
    }
    const config::Loaded loaded = config::parse(*text, file);
    if (loaded.problems.empty()) return loaded.config.gateway.database;
    session.code = session.fail(failed, "bad-config", loaded.problems.front().text());
    return std::nullopt;
}

int told(Session& session, const Error& error) {
    using store::StoreErrc;
    if (error.is(StoreErrc::missing)) return session.fail(not_found, "not-found", error.text());
    if (error.is(StoreErrc::locked) || error.is(StoreErrc::constraint)) return session.fail(refused, "refused", error.text());
    return session.fail(failed, error.is(StoreErrc::corrupt) ? "damaged" : "store-failed", error.text());
}

int answered(Session& session, const json& body, const std::string& sentence) {
    session.io.out << (session.json ? body.dump(-1, ' ', false, json::error_handler_t::replace) : sentence) << '\n';
    return done;
}

}  // namespace

int db_check(Session& session, const std::string& config) {
    const auto path = database_of(session, config);
    if (!path) return session.code;
    const auto c = store::check_database(*path);
    if (!c) return told(session, c.error());
    const json body = {{"ok", c->problems.empty()},
                       {"file", *path},
                       {"problems", c->problems},
                       {"schema", c->schema},
                       {"known_schema", c->known_schema},
                       {"page_size", c->page_size},
                       {"pages", c->pages},
                       {"free_pages", c->free_pages},
                       {"size", c->page_size * c->pages},
                       {"wal_size", c->wal},
                       {"gives_pages_back", c->gives_pages_back},
                       {"messages", c->messages},
                       {"queued", c->queued},
                       {"held", c->held},
                       {"held_why", c->held_why.empty() ? json(nullptr) : json(c->held_why)},
                       {"outbox", c->outbox}};
    if (session.json) {
        session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        for (const auto& problem : c->problems) session.io.out << coloured(printable(problem), Colour::red, session.colours()) << '\n';
        print_object(session.io.out, body);
        if (c->held > 0)
            session.io.out << fmt::format("{} messages are held: {}. `conductorctl db release` lets them go.\n", c->held, c->held_why);
    }
    return c->problems.empty() ? done : failed;
}

int db_backup(Session& session, const std::string& config, const std::string& file) {
    const auto path = database_of(session, config);
    if (!path) return session.code;
    if (const auto made = store::backup_database(*path, file); !made) return told(session, made.error());
    const json body = {{"file", file}};
    return answered(session, body, file + ": made. Put in place, it holds its unsent messages until they are released.");
}

int db_restore(Session& session, const std::string& config, const std::string& file) {
    const auto path = database_of(session, config);
    if (!path) return session.code;
    const auto aside = store::restore_database(*path, file, session.io.now);
    if (!aside) return told(session, aside.error());
    const json body = {{"file", *path}, {"from", file}, {"kept", aside->empty() ? json(nullptr) : json(*aside)}};
    std::string sentence = *path + ": restored from " + file + ".";
    if (!aside->empty()) sentence += " What was there is kept as " + *aside + ".";
    return answered(session, body, sentence + " Its unsent messages are held until Supabase or `conductorctl db release` confirms them.");
}

int db_release(Session& session, const std::string& config) {
    const json nothing = json::object();
    if (session.client.call("GET", "/healthz").status != 0) {  // a daemon runs: it has the database
        const auto answer = session.show("POST", "/v1/db/release", &nothing);
        if (answer) session.io.out << cell(*answer, "released") << " messages released\n";
        return session.code;
    }
    const auto path = database_of(session, config);
    if (!path) return session.code;
    const auto released = store::release_database(*path, fmt::format("uid {}", ::getuid()), session.io.now);
    if (!released) return told(session, released.error());
    const json body = {{"released", *released}};
    return answered(session, body, fmt::format("{} messages released; conductord sends them when it is started", *released));
}

}  // namespace conductor::ctl
