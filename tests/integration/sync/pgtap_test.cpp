// Runs sync/supabase/tests/database/*.test.sql, on a database whose migrations a hosted-like role applied and on one a superuser did.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tests/integration/sync/world.hpp"

using namespace conductor::sync_test;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> test_files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator{SOURCE_DIR "/sync/supabase/tests/database"})
        if (entry.path().string().ends_with(".test.sql")) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

/// Judges TAP: every line that is "not ok" fails, and the plan at the end must be what was counted.
void judge(const std::string& tap) {
    std::istringstream lines{tap};
    int good = 0, planned = -1;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("not ok")) FAIL_CHECK(line);
        if (line.starts_with("#")) MESSAGE(line);
        if (line.starts_with("ok ")) ++good;
        if (line.starts_with("1..")) planned = std::stoi(line.substr(3));
    }
    CHECK(planned > 0);
    CHECK(good == planned);
}

void run_all(const conductor::supabase_stack::Stack& stack) {
    const auto files = test_files();
    REQUIRE(files.size() >= 4);
    for (const fs::path& file : files) {
        INFO(file.filename().string());
        judge(stack.sql(conductor::harness::slurp(file)));
    }
}

}  // namespace

TEST_CASE("pgTAP, migrations applied as on a hosted project") {
    run_all(fresh_stack());
}

TEST_CASE("pgTAP, migrations applied by a superuser") {
    const conductor::supabase_stack::Stack stack{{"--role", "postgres", "--no-rest"}};
    run_all(stack);
}
