// Feeds every file of the named folders to LLVMFuzzerTestOneInput, so that ctest replays a fuzz corpus without libFuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
            if (entry.is_regular_file()) files.push_back(entry.path());
        }
        std::ranges::sort(files);
        for (const auto& file : files) {
            std::ifstream in{file, std::ios::binary};
            const std::vector<char> octets{std::istreambuf_iterator<char>{in}, {}};
            std::fprintf(stderr, "%s\n", file.filename().c_str());  // the last line names the input that failed
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
            ++count;
        }
    }
    std::printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
