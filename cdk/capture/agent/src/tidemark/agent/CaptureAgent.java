package tidemark.agent;

import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import net.bytebuddy.ByteBuddy;
import net.bytebuddy.asm.Advice;
import net.bytebuddy.description.method.MethodDescription;
import net.bytebuddy.description.method.MethodList;
import net.bytebuddy.description.type.TypeDescription;
import net.bytebuddy.dynamic.ClassFileLocator;
import net.bytebuddy.dynamic.DynamicType;
import net.bytebuddy.matcher.ElementMatchers;
import net.bytebuddy.pool.TypePool;
import tidemark.agent.Correction.Advised;

/**
 * Adds advice to methods of Debezium when their classes are loaded. A failure never ends the load of a class: it is
 * kept, and the task asks for it before it starts (tidemark.correction.Corrections).
 */
public final class CaptureAgent implements ClassFileTransformer {
    private static final String WITHOUT = "without=";
    private static final Set<String> TYPES = types();

    /** By class loader and class: empty for a class that has all its advice, otherwise the reason why it has not. */
    private static final Map<ClassLoader, Map<String, Optional<String>>> OUTCOMES =
            Collections.synchronizedMap(new WeakHashMap<>());

    private static volatile Set<Correction> switchedOn = EnumSet.noneOf(Correction.class);

    private CaptureAgent() {}

    /**
     * @param arguments null, or {@code without=} and names of corrections, separated by commas, with which tests
     *     show what each correction is for
     */
    public static void premain(String arguments, Instrumentation instrumentation) {
        Set<Correction> on = EnumSet.allOf(Correction.class);
        if (arguments != null && !arguments.isEmpty()) {
            if (!arguments.startsWith(WITHOUT)) throw new IllegalArgumentException("not " + WITHOUT + "<corrections>: " + arguments);
            for (String name : arguments.substring(WITHOUT.length()).split(",")) on.remove(Correction.valueOf(name));
        }
        switchedOn = on;
        instrumentation.addTransformer(new CaptureAgent());
    }

    /** The corrections that are switched on. It is empty when the agent is only on the class path. */
    public static Set<Correction> switchedOn() {
        return Collections.unmodifiableSet(switchedOn);
    }

    /** Why a class that the loader has loaded lacks its advice; empty if it has it. */
    public static Optional<String> whyUncorrected(ClassLoader loader, String type) {
        return OUTCOMES.getOrDefault(loader, Map.of()).getOrDefault(type, Optional.of(type + " was loaded before the agent"));
    }

    @Override
    public byte[] transform(
            ClassLoader loader, String internalName, Class<?> redefined, ProtectionDomain domain, byte[] content) {
        if (loader == null || internalName == null) return null;
        String type = internalName.replace('/', '.');
        if (!TYPES.contains(type)) return null;
        Map<String, Optional<String>> outcomes = OUTCOMES.computeIfAbsent(loader, unused -> new ConcurrentHashMap<>());
        try {
            byte[] advised = advise(loader, type, content);
            outcomes.put(type, Optional.empty());
            return advised;
        } catch (UnfitClassException unfit) {
            outcomes.put(type, Optional.of(unfit.getMessage()));
        } catch (Throwable failure) {
            outcomes.put(type, Optional.of(type + " cannot be given its advice: " + failure));
        }
        return null;
    }

    private static byte[] advise(ClassLoader loader, String type, byte[] content) {
        ClassFileLocator classes = new ClassFileLocator.Compound(
                ClassFileLocator.Simple.of(type, content), ClassFileLocator.ForClassLoader.of(loader));
        TypePool pool = TypePool.Default.of(classes);
        TypeDescription target = pool.describe(type).resolve();
        DynamicType.Builder<?> builder = new ByteBuddy().decorate(target, classes);
        for (Correction correction : switchedOn) {
            for (Advised advised : correction.advised()) {
                if (!advised.type().equals(type)) continue;
                Advice advice = Advice.to(pool.describe(advised.adviceType()).resolve(), classes);
                builder = builder.visit(advice.on(ElementMatchers.is(method(target, advised))));
            }
        }
        return builder.make().getBytes();
    }

    private static MethodDescription.InDefinedShape method(TypeDescription target, Advised advised) {
        MethodList<MethodDescription.InDefinedShape> found = target.getDeclaredMethods()
                .filter(method -> method.getInternalName().equals(advised.method())
                        && method.getDescriptor().equals(advised.descriptor())
                        && !method.isAbstract());
        if (found.size() != 1) {
            throw new UnfitClassException(advised.type() + " has no method " + advised.method() + advised.descriptor());
        }
        return found.getOnly();
    }

    private static final class UnfitClassException extends RuntimeException {
        UnfitClassException(String message) {
            super(message);
        }
    }

    private static Set<String> types() {
        Set<String> types = new HashSet<>();
        for (Correction correction : Correction.values()) {
            for (Advised advised : correction.advised()) types.add(advised.type());
        }
        return types;
    }
}
