# Packages of R from CRAN, or a mirror of it: Rscript cran.R plan|install NAME|NAME==1.0|NAME>=1.0 …
#
# Runs in build containers. `plan` prints a line `need NAME VERSION COMPILE` (yes or no) for each
# package that is to be installed, those that others depend on too; `install` installs them. What
# cannot be done is a line `mlops: KIND NAME …`, and exit code 3.

give_up <- function(kind, ...) {
  cat("mlops:", kind, ..., "\n")
  quit(status = 3)
}

parsed <- function(text) {
  at <- regexpr("(==|>=)", text)
  if (at < 0) {
    list(name = text, operator = "", version = "")
  } else {
    list(name = substr(text, 1, at - 1), operator = substr(text, at, at + 1),
         version = substring(text, at + 2))
  }
}

fits <- function(version, asked) {
  switch(asked$operator,
    "==" = package_version(version) == package_version(asked$version),
    ">=" = package_version(version) >= package_version(asked$version),
    TRUE
  )
}

installed <- function() {
  found <- installed.packages()[, "Version"]
  found[!duplicated(names(found))]
}

# The packages on the mirror that this R can have.
listed <- function(url, filters = NULL) {
  problems <- character()
  found <- withCallingHandlers(
    available.packages(contriburl = url, filters = filters),
    warning = function(w) {
      problems <<- c(problems, conditionMessage(w))
      invokeRestart("muffleWarning")
    }
  )
  if (length(problems)) give_up("unreachable", gsub("\\s+", " ", paste(problems, collapse = " ")))
  found
}

# Versions that are not the newest, as a repository of their own on this disk.
keep_old <- function(asked, remote, folder) {
  file <- sprintf("%s_%s.tar.gz", asked$name, asked$version)
  target <- file.path(folder, file)
  if (file.exists(target)) return()
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  for (url in file.path(remote, c(file.path("Archive", asked$name, file), file))) {
    got <- tryCatch(suppressWarnings(download.file(url, target, mode = "wb", quiet = TRUE)),
                    error = function(e) 1)
    if (identical(as.integer(got), 0L)) return()
    unlink(target)
  }
}

main <- function(mode, asked) {
  remote <- contrib.url(getOption("repos")[["CRAN"]], "source")
  have <- installed()
  asked <- Filter(function(a) !(a$name %in% names(have)) || !fits(have[[a$name]], a), asked)
  if (!length(asked)) return()
  packages <- listed(remote)
  folder <- "/run/mlops/cran/src/contrib"
  for (a in asked) {
    newest <- if (a$name %in% rownames(packages)) packages[a$name, "Version"]
    if (a$operator == "==" && (is.null(newest) || !fits(newest, a))) keep_old(a, remote, folder)
  }
  if (dir.exists(folder)) {
    tools::write_PACKAGES(folder, type = "source")
    old <- listed(paste0("file://", folder), filters = list())
    packages <- rbind(old, packages[!(rownames(packages) %in% rownames(old)), , drop = FALSE])
  }
  for (a in asked) check(a, packages, remote)
  names <- vapply(asked, function(a) a$name, "")
  if (mode == "install") {
    options(timeout = 600)
    install.packages(names, lib = Sys.getenv("R_LIBS_USER"), available = packages,
                     contriburl = unique(packages[, "Repository"]), type = "source")
    have <- installed()
    for (a in asked) {
      if (!(a$name %in% names(have)) || !fits(have[[a$name]], a)) give_up("failed", a$name)
    }
    return()
  }
  below <- unlist(tools::package_dependencies(names, packages, recursive = TRUE))
  for (name in union(names, setdiff(below, names(have)))) {
    if (!(name %in% rownames(packages))) give_up("missing", name)
    compiled <- identical(packages[name, "NeedsCompilation"], "no")
    cat("need", name, packages[name, "Version"], if (compiled) "no" else "yes", "\n")
  }
}

check <- function(a, packages, remote) {
  if (a$name %in% rownames(packages)) {
    version <- packages[a$name, "Version"]
    if (!fits(version, a)) give_up("version", a$name, version)
    return()
  }
  all <- listed(remote, filters = list())
  if (a$name %in% rownames(all)) give_up("newer", a$name, gsub("\\s+", " ", all[a$name, "Depends"]))
  alike <- rownames(all)[tolower(rownames(all)) == tolower(a$name)]
  give_up("missing", a$name, alike[seq_len(min(1, length(alike)))])
}

arguments <- commandArgs(trailingOnly = TRUE)
main(arguments[1], lapply(arguments[-1], parsed))
