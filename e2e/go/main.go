// go-git as a git client: one verb a run. See git-others.e2e.ts.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	if verb == "clone" {
		depth, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		_, err = git.PlainClone(args[1], false, &git.CloneOptions{URL: args[0], Depth: depth, SingleBranch: depth > 0})
		return err
	}
	repo, err := git.PlainOpen(args[0])
	if err != nil {
		return err
	}
	switch verb {
	case "fetch":
		return repo.Fetch(&git.FetchOptions{RemoteName: "origin", Tags: git.AllTags})
	case "commit":
		tree, err := repo.Worktree()
		if err != nil {
			return err
		}
		if _, err := tree.Add(args[1]); err != nil {
			return err
		}
		who := &object.Signature{Name: "Ana", Email: "ana@example.com"}
		_, err = tree.Commit(args[2], &git.CommitOptions{Author: who})
		return err
	case "push":
		return repo.Push(&git.PushOptions{RemoteName: "origin", RefSpecs: []config.RefSpec{config.RefSpec(args[1])}})
	}
	return errors.New("no such verb: " + verb)
}
