package agentidentity

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Token asks for a token of an agent's identity, which must exist. The API server may give it a shorter life than asked for.
func Token(ctx context.Context, client kubernetes.Interface, agent string, lifetime time.Duration) (token string, expires time.Time, err error) {
	seconds, namespace := int64(lifetime.Seconds()), v1alpha1.AgentNamespace(agent)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, Name, request, metav1.CreateOptions{})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token of service account %s/%s: %w", namespace, Name, err)
	}
	return answer.Status.Token, answer.Status.ExpirationTimestamp.Time, nil
}
