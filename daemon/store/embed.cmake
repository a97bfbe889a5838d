# Writes a C++ file that holds the migrations as string literals.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/daemon/store/migrations/*.sql)
list(SORT files)
set(rows "")
foreach(file ${files})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME)
  file(READ ${file} sql)
  string(APPEND rows "    {\"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
set(text "// Generated from daemon/store/migrations/.
#include \"daemon/store/migrations.hpp\"
namespace conductor::store {
namespace {
constexpr Migration rows[] = {
${rows}};
}
std::span<const Migration> all_migrations() { return rows; }
}
")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/migrations.cpp CONTENT "${text}" @ONLY)
target_sources(daemon_store PRIVATE ${CMAKE_BINARY_DIR}/generated/migrations.cpp)
