# Runs in an image: what a handler's R file defines, and which packages it needs that are missing.
#
# `Rscript examine.R FOLDER FILE` prints one line of JSON, as examine.py does. Base R only; nothing
# of the user's is run.

invisible(suppressWarnings(Sys.setlocale("LC_CTYPE", "C.UTF-8")))
arguments <- commandArgs(trailingOnly = TRUE)
file <- arguments[2]

quoted <- function(text) {
  text <- gsub("([\\\\\"])", "\\\\\\1", enc2utf8(as.character(text)))
  paste0("\"", gsub("[[:cntrl:]]+", " ", text), "\"")
}

listed <- function(items) paste0("[", paste(items, collapse = ", "), "]")

finish <- function(functions = character(), missing = character(), error = "") {
  cat("{\"functions\": ", listed(quoted(functions)), ", \"missing\": ", listed(missing),
      ", \"error\": ", quoted(error), ", \"used\": ", listed(quoted(file)), "}\n", sep = "")
  quit(status = 0)
}

code <- tryCatch(
  parse(file.path(arguments[1], file), keep.source = TRUE, encoding = "UTF-8"),
  error = function(error) {
    said <- strsplit(conditionMessage(error), "\n")[[1]][1]
    finish(error = sub(paste0(arguments[1], "/"), "", said, fixed = TRUE))
  }
)

defines <- function(line) {
  is.call(line) && as.character(line[[1]])[1] %in% c("<-", "=") && is.name(line[[2]]) &&
    is.call(line[[3]]) && identical(line[[3]][[1]], as.name("function"))
}

# Packages that an expression attaches or reaches into; not those that it only asks for.
needed <- function(line) {
  if (!is.call(line)) return(character())
  called <- if (is.name(line[[1]])) as.character(line[[1]]) else ""
  if (called %in% c("::", ":::")) return(as.character(line[[2]]))
  if (called %in% c("library", "loadNamespace") && length(line) > 1) {
    return(if (is.name(line[[2]]) || is.character(line[[2]])) as.character(line[[2]]))
  }
  parts <- as.list(line)
  unlist(lapply(parts[vapply(parts, is.call, TRUE)], needed))
}

functions <- vapply(Filter(defines, as.list(code)), function(line) as.character(line[[2]]), "")
missing <- character()
for (i in seq_along(code)) {
  for (package in unique(needed(code[[i]]))) {
    if (nzchar(system.file(package = package))) next
    line <- attr(code, "srcref")[[i]][1]
    missing <- c(missing, sprintf("{\"module\": %s, \"file\": %s, \"line\": %d}",
                                  quoted(package), quoted(file), line))
  }
}
finish(functions, missing)
